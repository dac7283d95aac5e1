/**
 * Any words inside commands, by recorded people: the fixed words are some words of a sentence that somebody reads, the slot
 * is the rest of it.
 *   npm run build && node dist/bench/open-slots-people.js DATA --language-model FILE [--model DIR] [--sets dev/reader,...]
 *     [--clips N] [--carrier 4] [--commands 8] [--side first,last] [--show]
 * Clips of a set stand together by --commands: each group's grammar has the first (or last) --carrier words of each of its
 * sentences, and any words behind (or before) them. Every clip is heard with its own group's grammar, and with the next
 * one's, where no command is right. Sentences have --carrier and 2 to 12 words more. Sets of voices that are in train/ too
 * are named after a "+": +dev/arctic-slt.
 * Right: the command that was said, whether accepted or not. Words of the slot: by edits, of commands that are right.
 * Intervals: bootstrap over people, over clips where a set has fewer than five.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readAudioFile } from '../src/audio/index.js';
import { Engine, hearClip } from '../src/engine/engine.js';
import { TrieModel } from '../src/language/trie-model.js';
import {
  wordErrorRate,
  wordErrors,
  wordsOfText,
  type ClipWordErrors,
} from '../src/measure/evaluate/word-errors.js';
import { openSlotModel } from '../src/recognizer/dictation/index.js';
import { compileGrammar } from '../src/recognizer/index.js';
import { slotWordsMax } from '../src/recognizer/open-slots.js';
import { spokenClips, type SpokenClip } from './lib/dev-clips.js';
import { commit, machine } from './lib/report.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: 'string', default: 'models/kikitori-en' },
    'language-model': { type: 'string', default: '' },
    sets: {
      type: 'string',
      default:
        'dev/novels,dev/accents,dev/reader,dev/learners,dev/queen,+dev/arctic-slt,+dev/arctic-bdl',
    },
    clips: { type: 'string', default: '40' },
    carrier: { type: 'string', default: '4' },
    commands: { type: 'string', default: '8' },
    side: { type: 'string', default: 'first,last' },
    show: { type: 'boolean', default: false },
  },
});
const [data = '../shared/data'] = positionals;
const carrierWords = Number(values.carrier);
const say = (line: string) => process.stdout.write(`${line}\n`);

const engine = await Engine.open({ modelPath: values.model });
const model = new TrieModel(await readFile(values['language-model']));
const openSlots = openSlotModel(model, engine.lexicon);
say(`open slots of people at ${commit()}; ${JSON.stringify(machine())}`);
say(
  `${openSlots.graph.words} words; ${carrierWords} fixed words, ${values.commands} commands in a grammar`,
);

type Side = 'first' | 'last';

interface Command {
  readonly clip: SpokenClip;
  readonly carrier: string;
  readonly slot: readonly string[];
}

function commandOf(clip: SpokenClip, side: Side): Command {
  const at = side === 'first' ? carrierWords : clip.words.length - carrierWords;
  const [head, tail] = [clip.words.slice(0, at), clip.words.slice(at)];
  const [fixed, slot] = side === 'first' ? [head, tail] : [tail, head];
  return { clip, carrier: fixed.join(' '), slot: wordsOfText(slot.join(' ')) };
}

/** In groups without two commands of the same fixed words. */
function groupsOf(commands: readonly Command[], size: number): Command[][] {
  const groups: Command[][] = [];
  for (const command of commands) {
    const free = groups.find(
      (g) => g.length < size && g.every(({ carrier }) => carrier !== command.carrier),
    );
    if (free === undefined) groups.push([command]);
    else free.push(command);
  }
  return groups;
}

const recognizerOf = (group: readonly Command[], side: Side) => {
  const intents = Object.fromEntries(
    group.map(({ carrier }, i) => [
      `C${i}`,
      {
        data: [
          { sentences: [side === 'first' ? `${carrier} {dictation}` : `{dictation} ${carrier}`] },
        ],
      },
    ]),
  );
  const source = JSON.stringify({ intents });
  const options = { file: 'open-slots', lexicon: engine.lexicon, openSlots: true };
  return engine.recognizer(compileGrammar(source, options), { openSlots });
};

/** What did not happen, of one clip. */
const failed = ({ file, speaker }: SpokenClip, wrong: boolean): ClipWordErrors => ({
  ...{ file, speaker, substituted: Number(wrong), left: 0, added: 0, length: 1 },
});

class Tally {
  readonly carrier: ClipWordErrors[] = [];
  readonly accepted: ClipWordErrors[] = [];
  readonly words: ClipWordErrors[] = [];
  readonly acceptedWords: ClipWordErrors[] = [];
  readonly wholly: ClipWordErrors[] = [];
  readonly wrongly: ClipWordErrors[] = [];
  readonly foreign: ClipWordErrors[] = [];

  say(name: string): void {
    const rows = [
      ['fixed words right', this.carrier],
      ['and accepted', this.accepted],
      ['words of the slot right', this.words],
      ['the same, accepted alone', this.acceptedWords],
      ['accepted and every word right', this.wholly],
      ['another command accepted', this.wrongly],
      ['not in the grammar, and refused', this.foreign],
    ] as const;
    say(`${name}: ${this.carrier.length} said by ${wordErrorRate(this.carrier).people}`);
    for (const [what, clips] of rows) {
      if (clips.length === 0) continue;
      const { rate, length } = wordErrorRate(clips);
      const percent = (wrong: number) => (100 * (1 - wrong)).toFixed(1);
      say(
        `  ${what}: ${percent(rate.value)} % (${percent(rate.high)} to ${percent(rate.low)}) of ${length}`,
      );
    }
  }
}

let elapsedMs = 0;
let audioMs = 0;

async function hearGroup(
  group: readonly Command[],
  next: readonly Command[],
  side: Side,
  into: readonly Tally[],
) {
  const own = recognizerOf(group, side);
  const others = recognizerOf(next, side);
  for (const [i, { clip, carrier, slot }] of group.entries()) {
    const { samples } = await readAudioFile(join(data, clip.file));
    const began = performance.now();
    const heard = await hearClip(engine, own, samples);
    const foreign = next.some((n) => n.carrier === carrier)
      ? null
      : await hearClip(engine, others, samples);
    elapsedMs += performance.now() - began;
    audioMs += (samples.length / 16) * (foreign === null ? 1 : 2);
    const right = heard.intent === `C${i}`;
    const found = wordsOfText(String(heard.slots['dictation'] ?? ''));
    const errors = wordErrors(found, slot);
    const { file, speaker } = clip;
    const exact = errors.substituted + errors.left + errors.added === 0;
    for (const tally of into) {
      tally.carrier.push(failed(clip, !right));
      tally.accepted.push(failed(clip, !(right && heard.accepted)));
      tally.wholly.push(failed(clip, !(right && heard.accepted && exact)));
      tally.wrongly.push(failed(clip, !(heard.accepted && !right)));
      if (right) tally.words.push({ ...errors, file, speaker });
      if (right && heard.accepted) tally.acceptedWords.push({ ...errors, file, speaker });
      if (foreign !== null) tally.foreign.push(failed(clip, foreign.accepted));
    }
    if (values.show)
      say(
        `  ${carrier} | ${slot.join(' ')} -> ${heard.text} ${heard.accepted ? 'accepted' : (heard.reason ?? '')} ${heard.confidence.toFixed(2)}${foreign?.accepted === true ? `; by others: ${foreign.text}` : ''}`,
      );
  }
}

for (const side of values.side.split(',') as Side[]) {
  const strangers = new Tally();
  for (const name of values.sets.split(',')) {
    const known = name.startsWith('+');
    const set = known ? name.slice(1) : name;
    const fits = ({ words }: SpokenClip) =>
      words.length >= carrierWords + 2 && words.length <= carrierWords + slotWordsMax;
    const clips = (await spokenClips(data, set, { fits, known })).slice(0, Number(values.clips));
    const groups = groupsOf(
      clips.map((clip) => commandOf(clip, side)),
      Number(values.commands),
    );
    const tally = new Tally();
    for (const [i, group] of groups.entries())
      await hearGroup(
        group,
        groups[(i + 1) % groups.length] ?? [],
        side,
        known ? [tally] : [tally, strangers],
      );
    tally.say(`${side} ${carrierWords} words, ${set}${known ? ', a voice of the training' : ''}`);
  }
  strangers.say(`${side} ${carrierWords} words, all strangers`);
}
say(`real-time factor ${(elapsedMs / audioMs).toFixed(2)}`);
await engine.close();
