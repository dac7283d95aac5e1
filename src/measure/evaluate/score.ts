import type { Heard, SlotValue } from '../../records.js';
import { bootstrapRatio, editDistance, quantile, wilson, type Interval } from './statistics.js';

/** One clip judged: what was wanted, what came. */
export interface Outcome {
  readonly file: string;
  readonly heard: Heard;
  /** Everything that was taken for an utterance, where the clip was played as a stream. */
  readonly utterances?: readonly Heard[];
  /** null: nothing may be accepted. undefined: no meaning known, only text. */
  readonly wanted:
    | { readonly intent: string; readonly slots: Readonly<Record<string, SlotValue>> }
    | null
    | undefined;
  readonly wantedText?: string;
  readonly audioSeconds: number;
  readonly computeSeconds: number;
}

export interface Summary {
  readonly clips: number;
  readonly commands: number;
  readonly nonCommands: number;
  /** Intent and every slot right, whatever the confidence said. */
  readonly right: Interval;
  /** Right and accepted: what the machine would have done right. */
  readonly rightAccepted: Interval;
  /** A command executed that was not the one said. */
  readonly wrongAccepted: Interval;
  readonly accepted: Interval;
  readonly falseAccepts: number;
  readonly falseAcceptsPerHour: number | null;
  readonly nonCommandHours: number;
  readonly wordErrorRate: Interval | null;
  readonly realTimeFactor: { readonly median: number; readonly p95: number };
  readonly audioSeconds: number;
}

/** Slots compare as strings, so that 20 and "20" agree, and in any order. */
export function sameMeaning(
  heard: Pick<Heard, 'intent' | 'slots'>,
  wanted: { readonly intent: string; readonly slots: Readonly<Record<string, SlotValue>> },
): boolean {
  if (heard.intent !== wanted.intent) return false;
  const names = Object.keys(wanted.slots);
  return (
    names.length === Object.keys(heard.slots).length &&
    names.every((name) => String(heard.slots[name] ?? '') === String(wanted.slots[name]))
  );
}

export function summarise(outcomes: readonly Outcome[]): Summary {
  const commands = outcomes.filter((o) => o.wanted !== null && o.wanted !== undefined);
  const others = outcomes.filter((o) => o.wanted === null);
  const right = commands.filter((o) => o.wanted != null && sameMeaning(o.heard, o.wanted));
  const rightAccepted = right.filter((o) => o.heard.accepted).length;
  const accepted = commands.filter((o) => o.heard.accepted).length;
  const falseAccepts = others
    .flatMap((o) => o.utterances ?? [o.heard])
    .filter((h) => h.accepted).length;
  const hours = others.reduce((sum, o) => sum + o.audioSeconds, 0) / 3600;
  const texts = outcomes.filter((o) => o.wantedText !== undefined);
  const words = (text: string) => text.split(' ').filter((w) => w !== '');
  const ratios = outcomes.map((o) => o.computeSeconds / Math.max(o.audioSeconds, 1e-3));
  return {
    clips: outcomes.length,
    commands: commands.length,
    nonCommands: others.length,
    right: wilson(right.length, commands.length),
    rightAccepted: wilson(rightAccepted, commands.length),
    wrongAccepted: wilson(accepted - rightAccepted, commands.length),
    accepted: wilson(accepted, commands.length),
    falseAccepts,
    falseAcceptsPerHour: hours > 0 ? falseAccepts / hours : null,
    nonCommandHours: hours,
    wordErrorRate:
      texts.length === 0
        ? null
        : bootstrapRatio(
            texts.map((o) => editDistance(words(o.wantedText ?? ''), words(o.heard.text))),
            texts.map((o) => words(o.wantedText ?? '').length),
          ),
    realTimeFactor: { median: quantile(ratios, 0.5), p95: quantile(ratios, 0.95) },
    audioSeconds: outcomes.reduce((sum, o) => sum + o.audioSeconds, 0),
  };
}
