/**
 * Dictation of read sentences: word error, time, memory, tokens.
 *   npm run build && node dist/bench/dictation.js DATA --language-model FILE [--sets dev/novels,dev/reader] [--clips N]
 *     [--weights LANGUAGE,WORD] [--prior P --blank B] [--beam B --tokens N] [--truth SHARE] [--sphinx] [--json]
 * --language-model: a model of `kikitori lm`; that of CMU Sphinx becomes one by sphinx-arpa.ts. --clips: so many of a set, spread over its people.
 * --truth: this share of the phones of each sentence (by forced alignment) is made certain, to see what a better network would give;
 * several, by commas, one after the other.
 * --checkpoint: this network, in float, with all else of the bundle.
 * --sphinx: the same clips by pocketsphinx_batch (Debian: pocketsphinx, pocketsphinx-en-us) with its own models.
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { encodeWav, readAudioFile } from '../src/audio/index.js';
import { Bundle } from '../src/bundle/index.js';
import { readCheckpoint } from '../src/compress/checkpoint.js';
import { packBundle } from '../src/compress/pack.js';
import { Engine } from '../src/engine/engine.js';
import { TrieModel } from '../src/language/trie-model.js';
import { randomFrom } from '../src/measure/evaluate/statistics.js';
import {
  wordErrorRate,
  wordErrors,
  wordErrorsInWords,
  type ClipWordErrors,
} from '../src/measure/evaluate/word-errors.js';
import { compileDictation, defaultLimits, Dictation } from '../src/recognizer/dictation/index.js';
import { scoresOf } from '../src/recognizer/index.js';
import { alignSentence } from '../src/recognizer/search/align.js';
import { spokenClips, type SpokenClip } from './lib/dev-clips.js';
import { bestOf } from './lib/phone-error.js';
import { commit, cpuMsOf, machine } from './lib/report.js';
import { sphinxArguments } from './lib/sphinx-batch.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: 'string', default: 'models/kikitori-en' },
    checkpoint: { type: 'string' },
    'language-model': { type: 'string', default: '' },
    sets: { type: 'string', default: 'dev/novels,dev/reader' },
    clips: { type: 'string', default: '1000' },
    'seconds-max': { type: 'string', default: '1000' },
    skip: { type: 'string', default: '0' },
    weights: { type: 'string' },
    prior: { type: 'string' },
    blank: { type: 'string' },
    beam: { type: 'string', default: String(defaultLimits.beam) },
    tokens: { type: 'string', default: String(defaultLimits.tokensMax) },
    truth: { type: 'string', default: '0' },
    sphinx: { type: 'boolean', default: false },
    show: { type: 'boolean', default: false },
  },
});
const [data = '../shared/data'] = positionals;
const say = (line: string) => process.stdout.write(`${line}\n`);
const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);

async function clipsOf(set: string): Promise<SpokenClip[]> {
  const longest = Number(values['seconds-max']);
  const clips = await spokenClips(data, set, { fits: ({ seconds }) => seconds <= longest });
  return clips.slice(Number(values.skip), Number(values.skip) + Number(values.clips));
}

const scratch = await mkdtemp(join(tmpdir(), 'kikitori-dictation-'));

/** The bundle, or one with another network in it. */
async function bundlePath(): Promise<string> {
  if (values.checkpoint === undefined) return values.model;
  const bundle = await Bundle.open(values.model);
  const { selftest, licence, decoding, confidence, endpoint } = bundle.manifest;
  const out = join(scratch, 'bundle');
  await packBundle({
    checkpoint: await readCheckpoint(values.checkpoint),
    precision: 'float32',
    lexicon: bundle.file('lexicon'),
    selftest: { ...selftest, wav: bundle.file('selftest.wav') },
    ...{ name: 'checkpoint', version: '0.0.0', licence, trainingData: [], measured: {} },
    ...{ decoding, confidence, endpoint, out },
  });
  return out;
}

const engine = await Engine.open({ modelPath: await bundlePath() });
const { manifest } = engine.bundle;
const units = manifest.units.length;
const decoding = {
  ...manifest.decoding,
  ...(values.prior === undefined ? {} : { priorWeight: Number(values.prior) }),
  ...(values.blank === undefined ? {} : { blankBias: Number(values.blank) }),
};
const rss = () => process.memoryUsage().rss;
const before = rss();
const model = new TrieModel(await readFile(values['language-model']));
const [language, word] = (values.weights ?? '').split(',').map(Number);
const began = performance.now();
const graph = compileDictation(model, engine.lexicon, {
  weights: values.weights === undefined ? {} : { language: language ?? 1, word: word ?? 0 },
});
say(`dictation at ${commit()}; ${JSON.stringify(machine())}`);
say(
  `${graph.words} words, ${graph.unpronounced} without a pronunciation; ${graph.tree.nodes} nodes; compiled in ${((performance.now() - began) / 1000).toFixed(1)} s; ${megabytes(rss() - before)} MB more with the language model`,
);
say(
  `weights ${JSON.stringify(graph.weights)}, prior ${decoding.priorWeight}, blank ${decoding.blankBias}, beam ${values.beam}, tokens ${values.tokens}`,
);

/** Phones of the forced alignment made certain, a share of them, by chance from a fixed seed. */
function helped(clip: SpokenClip, logProbs: Float32Array, share: number, random: () => number) {
  if (share === 0) return logProbs;
  const ways = clip.words.map((w) => engine.lexicon.lookup(w).map((p) => p.phones));
  const { phones } = alignSentence(ways, scoresOf(logProbs, decoding), units);
  const out = logProbs.slice();
  for (const { unit, startFrame, endFrame } of phones) {
    if (random() >= share) continue;
    for (let t = startFrame; t < endFrame; t++) {
      const row = out.subarray(t * units, (t + 1) * units);
      const sure = t === startFrame ? unit : 0;
      row.forEach((_, u) => (row[u] = Math.log(u === sure ? 0.95 : 0.05 / (units - 1))));
    }
  }
  return out;
}

function greedy(logProbs: Float32Array): number[] {
  const said: number[] = [];
  let last = 0;
  for (let at = 0; at < logProbs.length; at += units) {
    const row = logProbs.subarray(at, at + units);
    const best = row.indexOf(Math.max(...row));
    if (best !== last && best !== 0) said.push(best);
    last = best;
  }
  return said;
}

const limits = { ...defaultLimits, beam: Number(values.beam), tokensMax: Number(values.tokens) };

for (const set of values.sets.split(',')) {
  const clips = await clipsOf(set);
  const heard: { clip: SpokenClip; logProbs: Float32Array; samples: Float32Array }[] = [];
  let seconds = 0;
  let networkMs = 0;
  for (const clip of clips) {
    const audio = await readAudioFile(join(data, clip.file));
    seconds += audio.seconds;
    networkMs += await cpuMsOf(async () => {
      const rows = engine.frontend().feed(audio.samples).data;
      const { data: logProbs } = await engine.acoustic.whole(rows);
      heard.push({ clip, logProbs, samples: audio.samples });
    });
  }
  for (const share of values.truth.split(',').map(Number)) {
    const random = randomFrom(1);
    const errors: ClipWordErrors[] = [];
    const phones = { errors: 0, length: 0 };
    const total = { tokens: 0, frames: 0, framesAtLimit: 0, searchMs: 0, most: 0 };
    const sure: [number, boolean][] = [];
    for (const { clip, logProbs } of heard) {
      const given = helped(clip, logProbs, share, random);
      const reference = clip.words.flatMap((w) => engine.lexicon.lookup(w)[0]?.phones ?? []);
      const here = bestOf(greedy(given), [reference]);
      phones.errors += here.errors;
      phones.length += here.length;
      const scores = scoresOf(given, decoding);
      let hypothesis: string[] = [];
      total.searchMs += await cpuMsOf(async () => {
        const dictation = new Dictation(graph, limits);
        dictation.feed(scores, units);
        const { words } = dictation.finish();
        hypothesis = words.map((w) => w.text.toLowerCase());
        for (const w of words) sure.push([w.confidence, clip.words.includes(w.text.toLowerCase())]);
        const { tokens, frames, framesAtLimit } = dictation.figures;
        total.tokens += tokens;
        total.frames += frames;
        total.framesAtLimit += framesAtLimit;
      });
      total.most = Math.max(total.most, rss());
      const { file, speaker } = clip;
      errors.push({ ...wordErrors(hypothesis, clip.words), file, speaker });
      if (values.show) say(`  ${clip.words.join(' ')}\n  -> ${hypothesis.join(' ')}`);
    }
    say(
      `${set}, truth ${share}: ${clips.length} clips, ${new Set(clips.map((c) => c.speaker)).size} people, ${seconds.toFixed(0)} s; phone errors ${((100 * phones.errors) / phones.length).toFixed(1)} %`,
    );
    say(`  word error ${wordErrorsInWords(wordErrorRate(errors))}`);
    say(
      `  of real time: network ${(networkMs / 1000 / seconds).toFixed(4)}, search ${(total.searchMs / 1000 / seconds).toFixed(4)}; ${(total.tokens / total.frames).toFixed(0)} tokens a step, at the limit in ${((100 * total.framesAtLimit) / total.frames).toFixed(1)} % of steps; resident ${megabytes(total.most)} MB, ${megabytes(total.most - before)} more than without dictation`,
    );
    say(`  words that stand in the reference, by confidence: ${reliability(sure)}`);
  }
  if (values.sphinx) await sphinx(heard, seconds);
}

function reliability(sure: readonly (readonly [number, boolean])[]): string {
  return [0, 0.2, 0.4, 0.6, 0.8, 0.95]
    .map((from, i, all) => {
      const to = all[i + 1] ?? 1.01;
      const here = sure.filter(([c]) => c >= from && c < to);
      const right = here.filter(([, r]) => r).length;
      return `${from}: ${right}/${here.length}`;
    })
    .join(', ');
}

/** What pocketsphinx makes of the same clips, all in one process. */
async function sphinx(
  heard: readonly { clip: SpokenClip; samples: Float32Array }[],
  seconds: number,
): Promise<void> {
  const folder = join(scratch, 'sphinx');
  await mkdir(folder, { recursive: true });
  {
    for (const [i, { samples }] of heard.entries())
      await writeFile(join(folder, `${i}.wav`), encodeWav(samples, 16_000));
    await writeFile(join(folder, 'ctl'), heard.map((_, i) => `${i}`).join('\n'));
    const { stdout } = await promisify(execFile)(
      'bash',
      ['-c', 'pocketsphinx_batch "$@" 2>&1 | tail -40', 'bash', ...sphinxArguments(folder)],
      { maxBuffer: 64e6 },
    );
    const found = new Map(
      (await readFile(join(folder, 'hyp'), 'utf8')).split('\n').map((line) => {
        const [, text = '', id = ''] = /^(.*?)\(?(\d+) -?\d+\)$/.exec(line) ?? [];
        return [id, text.replace(/\($/, '').trim()];
      }),
    );
    const errors = heard.map(({ clip }, i) => ({
      ...wordErrors((found.get(`${i}`) ?? '').split(/\s+/).filter(Boolean), clip.words),
      file: clip.file,
      speaker: clip.speaker,
    }));
    const cpu = /TOTAL.*?([\d.]+) seconds CPU/.exec(stdout)?.[1] ?? 'NaN';
    say(
      `  pocketsphinx: word error ${wordErrorsInWords(wordErrorRate(errors))}; ${(Number(cpu) / seconds).toFixed(3)} of real time`,
    );
    await rm(folder, { recursive: true });
  }
}
await engine.close();
await rm(scratch, { recursive: true });
