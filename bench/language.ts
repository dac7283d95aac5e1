/**
 * A language model of 64,000 words and 20 MB from 100 MB of generated text: time and memory to make it, bytes an n-gram, time
 * to load it, look-ups a second. Words are as frequent as in a language (Zipf), and each is likelier behind some than behind
 * others, so that pairs and triples repeat.
 *
 *   node dist/bench/language.js [--words 64000] [--megabytes 100] [--bytes 20MB] [--model FILE TEXT]
 */
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { TrieModel } from '../src/language/trie-model.js';
import { main } from '../src/cli/main.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    words: { type: 'string', default: '64000' },
    megabytes: { type: 'string', default: '100' },
    bytes: { type: 'string', default: '20MB' },
    model: { type: 'string' },
  },
});

/** Numbers from 0 to 1, the same in each run (mulberry32). */
let state = 28;
function random(): number {
  state = (state + 0x6d2b79f5) | 0;
  let n = Math.imul(state ^ (state >>> 15), 1 | state);
  n = (n + Math.imul(n ^ (n >>> 7), 61 | n)) ^ n;
  return ((n ^ (n >>> 14)) >>> 0) / 2 ** 32;
}

const vocabulary = Number(values.words);
const zipf = () => Math.floor((vocabulary + 1) ** random()) - 1;
/** Syllables of two letters, as long as words of English are; figures would be read as numbers. */
const spelling = (word: number): string =>
  (word >= 100 ? spelling(Math.floor(word / 100) - 1) : '') +
  ('bcdfghjklmnpqrstvwxz'[word % 20] ?? '') +
  ('aeiou'[Math.floor(word / 20) % 5] ?? '');
/** One of a few words that like to stand behind another. */
const follower = (word: number) =>
  Math.floor(
    (vocabulary + 1) **
      ((Math.imul(word + 1, 2654435761 + Math.floor(4 * random())) >>> 0) / 2 ** 32),
  ) - 1;

function writeText(path: string, bytes: number): void {
  const file = openSync(path, 'w');
  for (let written = 0; written < bytes;) {
    let chunk = '';
    while (chunk.length < 100_000) {
      let word = zipf();
      for (let left = 4 + 16 * random(); left > 0; left -= 1) {
        chunk += `${spelling(word)} `;
        word = random() < 0.6 ? follower(word) : zipf();
      }
      chunk += '\n';
    }
    written += writeSync(file, chunk);
  }
  closeSync(file);
}

/** Processor time: others may use the machine. */
const processorMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

const mb = (bytes: number) => (bytes / 1e6).toFixed(1);
const peakMb = () => process.resourceUsage().maxRSS / 1024;
const print = (line: string) => process.stdout.write(`${line}\n`);

function beginning(path: string): string {
  const file = openSync(path, 'r');
  const bytes = Buffer.alloc(3_000_000);
  const read = readSync(file, bytes);
  closeSync(file);
  return bytes.toString('utf8', 0, read);
}

/** What a search does: each word of sentences, one context after the other; then any word in any context. */
function lookUps(path: string, text: string): void {
  const before = process.memoryUsage().rss;
  const began = performance.now();
  const model = new TrieModel(readFileSync(path));
  const loadMs = performance.now() - began;
  print(
    `loaded in ${loadMs.toFixed(0)} ms, ${mb(process.memoryUsage().rss - before)} MB more memory`,
  );
  const sentences = beginning(text)
    .split('\n')
    .slice(0, -1)
    .map((line) =>
      (line.toLowerCase().match(/[a-z']+/g) ?? []).map(
        (word) => model.numberOf(word) ?? model.unknown,
      ),
    );
  const sums = sentences.slice(0, 40).map((sentence) => {
    const context = sentence.slice(0, 3).reduce((at, word) => model.advance(at, word), model.begin);
    let sum = 0;
    for (let word = 0; word < model.size; word += 1)
      sum += Math.exp(model.lnProbability(context, word));
    return sum;
  });
  print(
    `all words behind a context, 40 contexts: ${Math.min(...sums).toFixed(4)} to ${Math.max(...sums).toFixed(4)} together`,
  );
  const rates: number[] = [];
  const others: number[] = [];
  for (let round = 0; round < 5; round += 1) {
    let steps = 0;
    let sum = 0;
    const start = processorMs();
    for (const sentence of sentences) {
      let context = model.begin;
      for (const word of sentence) {
        sum += model.lnProbability(context, word);
        context = model.advance(context, word);
        steps += 1;
      }
    }
    const middle = processorMs();
    let asked = 0;
    for (const sentence of sentences) {
      let context = model.begin;
      for (const word of sentence) {
        context = model.advance(context, word);
        for (let i = 0; i < 4; i += 1) {
          sum += model.lnProbability(context, (word * 31 + i * 7919) % model.size);
          asked += 1;
        }
      }
    }
    const end = processorMs();
    if (Number.isNaN(sum)) throw new Error('a probability is no number');
    rates.push(steps / (middle - start) / 1000);
    others.push(asked / (end - middle) / 1000);
  }
  const median = (numbers: number[]) => (numbers.sort((a, b) => a - b)[2] ?? 0).toFixed(2);
  print(
    `words of a text, probability and next context: ${median(rates)} million a second of processor`,
  );
  print(
    `any words in the contexts of a text, four each: ${median(others)} million a second of processor`,
  );
}

if (values.model !== undefined) {
  lookUps(values.model, positionals[0] ?? '');
} else {
  const folder = mkdtempSync(join(tmpdir(), 'kikitori-bench-'));
  try {
    const [text, model] = [join(folder, 'text'), join(folder, 'model')];
    writeText(text, Number(values.megabytes) * 1e6);
    print(`text: ${mb(statSync(text).size)} MB; memory before: ${peakMb().toFixed(0)} MB at most`);
    const began = performance.now();
    const before = process.cpuUsage();
    const status = await main([
      ...['lm', 'build', text, '--vocabulary', values.words, '--bytes', values.bytes],
      ...['--out', model],
    ]);
    if (status !== 0) process.exitCode = status;
    const { user, system } = process.cpuUsage(before);
    print(
      `made in ${((performance.now() - began) / 1000).toFixed(0)} s (${((user + system) / 1e6).toFixed(0)} s of processor), ${peakMb().toFixed(0)} MB of memory at most`,
    );
    lookUps(model, text);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
