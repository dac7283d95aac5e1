/**
 * Any words inside commands, by recorded people: the fixed words are some words of a sentence that somebody reads, the slot
 * is the rest of it.
 *   npm run build && node dist/bench/open-slots-people.js DATA --language-model FILE [--model DIR] [--sets dev/reader,...]
 *     [--clips N] [--carrier 4] [--commands 8] [--others 1] [--side first,last] [--show]
 *   node dist/bench/open-slots-people.js DATA --language-model FILE --carrier 4,2 --others 2 --fit src/recognizer/talk-weights.ts
 * Clips of a set stand together by --commands: each group's grammar has the first (or last) --carrier words of each of its
 * sentences, and any words behind (or before) them. Every clip is heard with its own group's grammar, and with the next
 * ones', where no command is right. Sentences have --carrier and 2 to 12 words more. Sets of voices that are in train/ too
 * are named after a "+": +dev/arctic-slt.
 * Right: the command that was said, whether accepted or not. Words of the slot: by edits, of commands that are right.
 * Without the test for talk: as it was before commands were compared with any words (src/recognizer/talk.ts).
 * --fit: that test is fitted on people of train/ and written there.
 * Intervals: bootstrap over people, over clips where a set has fewer than five.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readAudioFile } from '../src/audio/index.js';
import { fitLogistic, type Example } from '../src/measure/calibrate/logistic.js';
import { Engine, hearClip } from '../src/engine/engine.js';
import { TrieModel } from '../src/language/trie-model.js';
import {
  wordErrorRate,
  wordErrors,
  wordsOfText,
  type ClipWordErrors,
} from '../src/measure/evaluate/word-errors.js';
import { openSlotModel } from '../src/recognizer/dictation/index.js';
import type { Heard } from '../src/records.js';
import { compileGrammar } from '../src/recognizer/index.js';
import { slotWordsMax } from '../src/recognizer/open-slots.js';
import { commandProbability, commandProbabilityMin } from '../src/recognizer/talk.js';
import type { TalkWeights } from '../src/recognizer/talk-weights.js';
import { spokenClips, type SpokenClip } from './lib/dev-clips.js';
import { commit, machine } from './lib/report.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: 'string', default: 'models/kikitori-en' },
    'language-model': { type: 'string', default: '' },
    sets: {
      type: 'string',
      default: '',
    },
    clips: { type: 'string', default: '40' },
    carrier: { type: 'string', default: '4' },
    commands: { type: 'string', default: '8' },
    side: { type: 'string', default: 'first,last' },
    others: { type: 'string', default: '1' },
    fit: { type: 'string' },
    show: { type: 'boolean', default: false },
  },
});
const [data = '../shared/data'] = positionals;
const others = Number(values.others);
const devSets =
  'dev/novels,dev/accents,dev/reader,dev/learners,dev/queen,+dev/arctic-slt,+dev/arctic-bdl';
const trainSets = '+train/novels,+train/learners,+train/sky,+train/queen';
const sets = values.sets === '' ? (values.fit === undefined ? devSets : trainSets) : values.sets;
const say = (line: string) => process.stdout.write(`${line}\n`);

const engine = await Engine.open({ modelPath: values.model });
const model = new TrieModel(await readFile(values['language-model']));
const openSlots = openSlotModel(model, engine.lexicon);
say(`open slots of people at ${commit()}; ${JSON.stringify(machine())}`);
say(
  `${openSlots.graph.words} words; ${values.carrier} fixed words, ${values.commands} commands in a grammar`,
);

type Side = 'first' | 'last';

interface Command {
  readonly clip: SpokenClip;
  readonly carrier: string;
  readonly slot: readonly string[];
}

function commandOf(clip: SpokenClip, side: Side, carrierWords: number): Command {
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
  readonly acceptedBefore: ClipWordErrors[] = [];
  readonly foreignBefore: ClipWordErrors[] = [];

  say(name: string): void {
    const rows = [
      ['fixed words right', this.carrier],
      ['and accepted', this.accepted],
      ['words of the slot right', this.words],
      ['the same, accepted alone', this.acceptedWords],
      ['accepted and every word right', this.wholly],
      ['another command accepted', this.wrongly],
      ['not in the grammar, and refused', this.foreign],
      ['accepted without the test for talk', this.acceptedBefore],
      ['not in the grammar, refused without it', this.foreignBefore],
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

/** Refused for nothing but that test. */
const asTalk = ({ reason, evidence }: Heard) =>
  reason === 'not-a-command' && evidence['talk'] !== undefined;

const examples: Example[] = [];
function learnFrom({ evidence }: Heard, right: boolean): void {
  const { talk, lead = 0 } = evidence;
  if (talk !== undefined) examples.push({ evidence: { talk, lead }, right });
}

let elapsedMs = 0;
let audioMs = 0;

async function hearGroup(
  group: readonly Command[],
  next: readonly (readonly Command[])[],
  side: Side,
  into: readonly Tally[],
) {
  const own = recognizerOf(group, side);
  const elsewhere = next.map((commands) => ({ commands, by: recognizerOf(commands, side) }));
  for (const [i, { clip, carrier, slot }] of group.entries()) {
    const { samples } = await readAudioFile(join(data, clip.file));
    const began = performance.now();
    const heard = await hearClip(engine, own, samples);
    const foreign: Heard[] = [];
    for (const { commands, by } of elsewhere)
      if (commands.every((n) => n.carrier !== carrier))
        foreign.push(await hearClip(engine, by, samples));
    elapsedMs += performance.now() - began;
    audioMs += (samples.length / 16) * (1 + foreign.length);
    const right = heard.intent === `C${i}`;
    if (right) learnFrom(heard, true);
    for (const f of foreign) learnFrom(f, false);
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
      tally.acceptedBefore.push(failed(clip, !(right && (heard.accepted || asTalk(heard)))));
      for (const f of foreign) {
        tally.foreign.push(failed(clip, f.accepted));
        tally.foreignBefore.push(failed(clip, f.accepted || asTalk(f)));
      }
    }
    if (values.show)
      say(
        `  ${carrier} | ${slot.join(' ')} -> ${heard.text} ${heard.accepted ? 'accepted' : (heard.reason ?? '')} ${heard.confidence.toFixed(2)}${foreign.map((f) => (f.accepted || asTalk(f) ? `; by others${f.accepted ? '' : ', refused as talk'}: ${f.text}` : '')).join('')}`,
      );
  }
}

for (const carrierWords of values.carrier.split(',').map(Number))
  for (const side of values.side.split(',') as Side[]) {
    const strangers = new Tally();
    for (const name of sets.split(',')) {
      const known = name.startsWith('+');
      const set = known ? name.slice(1) : name;
      const fits = ({ words }: SpokenClip) =>
        words.length >= carrierWords + 2 && words.length <= carrierWords + slotWordsMax;
      const clips = (await spokenClips(data, set, { fits, known })).slice(0, Number(values.clips));
      const groups = groupsOf(
        clips.map((clip) => commandOf(clip, side, carrierWords)),
        Number(values.commands),
      );
      const tally = new Tally();
      for (const [i, group] of groups.entries()) {
        const next = Array.from({ length: others }, (_, o) => groups[(i + 1 + o) % groups.length]);
        const into = known ? [tally] : [tally, strangers];
        await hearGroup(
          group,
          next.flatMap((n) => (n === undefined ? [] : [n])),
          side,
          into,
        );
      }
      tally.say(`${side} ${carrierWords} words, ${set}${known ? ', a voice of the training' : ''}`);
    }
    if (strangers.carrier.length > 0) strangers.say(`${side} ${carrierWords} words, all strangers`);
  }
say(`real-time factor ${(elapsedMs / audioMs).toFixed(2)}`);
if (values.fit !== undefined) await fit(values.fit);
await engine.close();

async function fit(path: string): Promise<void> {
  const { bias, weights } = fitLogistic(examples, { talk: 1, lead: 1 });
  const of = (value: number | undefined) => Number((value ?? 0).toFixed(3));
  const made: TalkWeights = {
    bias: of(bias),
    talk: of(weights['talk']),
    lead: of(weights['lead']),
  };
  const source = await readFile(path, 'utf8');
  const [head] = source.split(/(?<=export const talkWeights: TalkWeights = )/);
  const fields = Object.entries(made).map(([name, value]) => `  ${name}: ${value},\n`);
  await writeFile(path, `${head}{\n${fields.join('')}};\n`);
  const kept = (right: boolean) => {
    const of = examples.filter((e) => e.right === right);
    const passed = of.filter(
      ({ evidence: { talk = 0, lead = 0 } }) =>
        commandProbability({ talk, lead }, made) >= commandProbabilityMin,
    );
    return `${passed.length} of ${of.length}`;
  };
  say(
    `fitted ${JSON.stringify(made)}: of what was searched ${kept(true)} right, ${kept(false)} others pass`,
  );
}
