/** Tries a bundle before it may hear, in processes of its own, and says what speaks against it. */
import { join } from 'node:path';
import { freeWordsFilesOf } from './board.js';
import type { Config } from '../config/index.js';
import { sleepUntil, type Clock } from '../runtime/clock.js';
import { messageOf } from '../runtime/errors.js';
import type { Log } from '../runtime/log.js';
import { confined } from '../runtime/confine.js';
import { commandPath, programPath } from '../runtime/paths.js';
import {
  costOf,
  runProbe,
  weigh,
  type Cost,
  type PortFault,
  type ProbeEnd,
} from '../update/index.js';

export interface ProbeOptions {
  readonly config: () => Config;
  readonly clock: Clock;
  readonly log: Log;
  /** The self-test of a bundle, as arguments of kikitori, and the files that it may read. */
  readonly selftest: (config: Config, path: string) => SelfTestCall;
  /** The program that tries a bundle. Tests give one that fails. */
  readonly probeCommand?: readonly string[];
  /** Path of the current bundle; null before there is one. */
  readonly runningPath: () => string | null;
  readonly runningRateHz: () => number | undefined;
  /** Compiles the site's sentences for the current bundle. Rejects when they do not compile. */
  readonly compile: () => Promise<void>;
}

export interface SelfTestCall {
  readonly action: readonly string[];
  readonly options: readonly string[];
  readonly read: readonly string[];
}

/** A model bundle, with the site's sentences and words, and the language model that hears. */
export function modelSelfTest(
  config: Config,
  path: string,
  languageModelPath?: string,
): SelfTestCall {
  const { grammar, recognizer } = config;
  const words = grammar.wordsPath === '' ? [] : [grammar.wordsPath];
  const free = freeWordsFilesOf(config, languageModelPath);
  const models = free === undefined ? [] : [free.languageModelPath];
  const terms = free?.boostPath === undefined || free.boostPath === '' ? [] : [free.boostPath];
  return {
    action: ['model', 'selftest'],
    options: [
      ...['--json', '--threads', String(recognizer.threads), '--grammar', grammar.path],
      ...words.flatMap((at) => ['--words', at]),
      ...models.flatMap((at) => ['--language-model', at]),
      ...terms.flatMap((at) => ['--boost', at]),
      ...(recognizer.mode === 'dictation' ? ['--dictation'] : []),
      path,
    ],
    read: [grammar.path, ...words, ...models, ...terms, path],
  };
}

/** A self-test that is ended from outside often means that the daemon ends too: its signal is waited for. */
const interruptedMs = 2000;

/** Waits between measurements of a bundle in doubt. After the last it is left to the next check for updates. */
export const waitsMs: readonly number[] = [60_000, 120_000, 240_000, 480_000];

/** Faults of files that the site wrote. */
export const siteKinds: readonly string[] = ['grammar', 'input'];

type Said = Readonly<Record<string, unknown>>;

export class Probe {
  private unconfined = false;

  constructor(private readonly options: ProbeOptions) {}

  /** Null when nothing speaks against it. */
  async try(path: string, signal: AbortSignal): Promise<PortFault | null> {
    const { clock, log } = this.options;
    let lateBefore = false;
    for (let attempt = 0; ; attempt++) {
      const end = await this.run(path, signal);
      const fault = end.ended === 'said' ? await this.judge(end.said) : faultOfEnd(end);
      if (fault?.reason === 'interrupted') await sleepUntil(clock, interruptedMs, signal);
      if (fault !== null) return fault;
      const doubt = await this.doubt(end, lateBefore, signal);
      lateBefore = end.ended === 'killed';
      if (doubt === null || doubt.slow !== undefined || signal.aborted) return doubt?.slow ?? null;
      const waitMs = waitsMs[attempt];
      log.info(
        { event: 'update.in-doubt', why: doubt.why, waitMs: waitMs ?? 0 },
        'the board is busy: whether the bundle is too slow is measured again',
      );
      if (waitMs === undefined) return { reason: 'busy', detail: doubt.why, ours: true };
      await sleepUntil(clock, waitMs, signal);
    }
  }

  /** Whether the bundle is too slow. Null: no. With `slow`: yes. Else the board is too busy to tell. */
  private async doubt(
    end: ProbeEnd,
    lateBefore: boolean,
    signal: AbortSignal,
  ): Promise<{ readonly why: string; readonly slow?: PortFault } | null> {
    const limit = this.options.config().update.limits.realTimeFactor;
    const late = end.ended === 'killed';
    const cost = late ? null : costIn(end.said);
    if (cost !== null && costOf(cost) <= limit) return null;
    const running = await this.running(signal);
    const weight = cost === null ? lateWeight(lateBefore, running) : weigh(cost, running, limit);
    if (weight === 'fits') return null;
    const of = running === null ? '' : `; what hears took ${running.processor.toFixed(3)}`;
    const why = late
      ? end.detail
      : `${costOf(cost ?? nothing).toFixed(3)} of real time, at most ${limit} is allowed${of}`;
    if (weight === 'doubt') return { why };
    return { why, slow: { reason: 'too-slow', detail: why, ours: false } };
  }

  /** The cost of the current bundle, measured in the same way. Null: the measurement did not end. */
  private async running(signal: AbortSignal): Promise<Cost | null> {
    const path = this.options.runningPath();
    if (path === null) return null;
    const end = await this.run(path, signal);
    return end.ended === 'said' && end.said['fault'] === undefined ? costIn(end.said) : null;
  }

  private async run(path: string, signal: AbortSignal): Promise<ProbeEnd> {
    const { config, clock, probeCommand } = this.options;
    const { update } = config();
    const { action, options, read: files } = this.options.selftest(config(), path);
    const own = [process.execPath, commandPath, ...action, ...options];
    const read = [programPath, join(programPath, 'node_modules'), ...files];
    const command =
      probeCommand === undefined ? confined(own, read) : [...probeCommand, ...options];
    const limits = { timeoutMs: update.limits.selftestMs, memoryMb: update.limits.memoryMb };
    const end = await runProbe(command, limits, clock, signal);
    if (end.ended === 'said') this.tellUnconfined(end.said['confined']);
    return end;
  }

  /** Said once: it stays so until the system is another. */
  private tellUnconfined(by: unknown): void {
    if (this.unconfined || typeof by !== 'string' || by.includes('seccomp')) return;
    this.unconfined = true;
    this.options.log.warn(
      { event: 'update.unconfined' },
      'a bundle was tried with all that the service may do: this system confines no process',
    );
  }

  /** Everything but its speed. */
  private async judge(said: Said): Promise<PortFault | null> {
    const fault = said['fault'] as { kind?: unknown; message?: unknown } | undefined;
    if (fault !== undefined) {
      const message = String(fault.message);
      return siteKinds.includes(String(fault.kind))
        ? this.blame(message)
        : unfit('does-not-load', message);
    }
    if (said['logits'] === 'different') {
      const detail =
        'this processor computes other logits of the clip than the machine that packed it';
      return unfit('logits-differ', detail);
    }
    if (said['passed'] !== true) {
      const [wanted, heard] = [String(said['wanted']), String(said['heard'])];
      const { why = `the clip says "${wanted}", it heard "${heard}"` } = said;
      return unfit('selftest', String(why));
    }
    const { memoryMb } = this.options.config().update.limits;
    if (numberIn(said, 'peakRssMb') > memoryMb) {
      const mb = Math.round(numberIn(said, 'peakRssMb'));
      return unfit('too-large', `it took ${mb} MB, at most ${memoryMb} are allowed`);
    }
    const rateHz = this.options.runningRateHz();
    if (rateHz !== undefined && numberIn(said, 'sampleRateHz') !== rateHz) {
      const wanted = String(said['sampleRateHz']);
      return unfit(
        'incompatible',
        `it wants ${wanted} Hz and the microphone is open at ${rateHz} Hz`,
      );
    }
    return null;
  }

  /** Whose fault it is that the sentences do not compile: the bundle's, if they compile for the current one. */
  async blame(message: string): Promise<PortFault> {
    try {
      await this.options.compile();
    } catch (error) {
      return { reason: 'site-fault', detail: messageOf(error), ours: true };
    }
    return { reason: 'grammar', detail: message, ours: false };
  }
}

const nothing: Cost = { processor: 0, wall: 0 };

const unfit = (reason: PortFault['reason'], detail: string): PortFault => ({
  reason,
  detail,
  ours: false,
});

/** Null: it took too long, which may be the board's fault. */
function faultOfEnd(end: ProbeEnd & { ended: 'killed' }): PortFault | null {
  if (end.late === true) return null;
  const { reason, detail } = end;
  return { reason, detail, ours: reason === 'interrupted' || reason === 'aborted' };
}

/**
 * Of a self-test that did not end. If that of the current bundle did, the board is not too busy: the new one hangs. Once
 * may be chance, as the two do not run at the same time.
 */
const lateWeight = (lateBefore: boolean, running: Cost | null) =>
  lateBefore && running !== null ? 'slow' : 'doubt';

const numberIn = (said: Said, name: string) =>
  typeof said[name] === 'number' ? said[name] : Infinity;

function costIn(said: Said): Cost {
  const wall = numberIn(said, 'realTimeFactor');
  const processor = said['processorFactor'];
  return { wall, processor: typeof processor === 'number' ? processor : wall };
}
