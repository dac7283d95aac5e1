import { brotliCompressSync, constants, gunzipSync, gzipSync } from 'node:zlib';
import { buildLexicon } from '../../../src/recognizer/index.js';
import {
  isContainer,
  readContainer,
  unpack,
  writeContainer,
} from '../../../src/recognizer/lexicon/container.js';
import { decodeRules } from '../../../src/recognizer/lexicon/rule-tree.js';
import { Lexicon } from '../../../src/recognizer/lexicon/index.js';
import type { Random } from '../engine/random.js';
import { mutated } from '../engine/mutate.js';
import { must, type Target } from '../engine/target.js';

const units = ['<blank>', 'AA', 'AE', 'B', 'K', 'T', 'S', 'Z', 'IY', 'EH'];
const words = { cat: 'K AE T', cats: 'K AE T S', bat: 'B AE T', bee: 'B IY', 'bat(2)': 'B EH T' };
const tried = ['cat', 'bats', "bee's", 'zzz', 'taba', 'a', '', 'plc', 'été', '9'];

export const target: Omit<Target, 'name'> = {
  right:
    'every word looked up gives phones that the lexicon has, in bounded time; the parts survive being packed again',
  covers: ['src/recognizer/lexicon/'],
  bytesMax: 8192,
  where: 'lexicon',
  seeds: () => {
    const full = buildLexicon(words, units);
    return [
      full,
      buildLexicon(words, units, { rules: false }),
      old('cat\tDBE\n', oldRules(full)),
      bomb(),
    ];
  },
  mutate: repacked,
  run: (input) => {
    const lexicon = Lexicon.read(input, 'lexicon');
    for (const word of tried)
      for (const { phones } of lexicon.lookup(word))
        must(
          phones.every((p) => Number.isInteger(p) && p > 0 && p < lexicon.units.length),
          `${word}: phones ${phones.join()} of ${lexicon.units.length}`,
        );
    let count = 0;
    for (const phones of lexicon.pronunciations()) {
      count++;
      must(Array.isArray(phones), 'no phones');
    }
    must(count <= 64 * 1024 * 1024, 'words without end');
  },
};

/** The first format, as boards may still have it. */
function old(lines: string, rules: Buffer): Buffer {
  const header = JSON.stringify({ units, words: Buffer.byteLength(lines), g2p: rules.length });
  return gzipSync(Buffer.concat([Buffer.from(`kikitori-lexicon 1\n${header}\n${lines}`), rules]));
}

function oldRules(lexicon: Uint8Array): Buffer {
  const part = readContainer(lexicon).parts.get('rules');
  if (part === undefined) throw new Error('a lexicon without rules');
  const { header, tree } = decodeRules(unpack(part));
  const nodes = tree.symbol.length;
  const two = (value: number) => [value & 255, value >> 8];
  const children = Array.from(
    tree.symbol,
    (_, n) => (tree.firstChild[n + 1] ?? 0) - (tree.firstChild[n] ?? 0),
  );
  return Buffer.concat([
    Buffer.from(
      `${JSON.stringify({ format: 1, graphones: header.graphones, ngrams: [nodes - 1] })}\n`,
    ),
    Buffer.from(children.flatMap(two)),
    Buffer.from([...tree.symbol].flatMap(two)),
    Buffer.from(tree.cost),
    Buffer.from(Array.from(tree.backOff, (b) => b + 96)),
  ]);
}

/** A part that unpacks to far more than it says. */
function bomb(): Buffer {
  const packed = brotliCompressSync(Buffer.alloc(1 << 22), {
    params: { [constants.BROTLI_PARAM_QUALITY]: 5 },
  });
  const parts = [{ name: 'dictionary', packed: packed.length, bytes: 1000 }];
  return Buffer.concat([
    Buffer.from(`kikitori-lexicon 2\n${JSON.stringify({ units, parts })}\n`),
    packed,
  ]);
}

/** A change inside a part, which is then packed again: a change of packed bytes is seen by brotli alone. */
function repacked(input: Buffer, random: Random, other: Buffer): Uint8Array {
  const bytesAlone = { words: [], text: false, bytesMax: 65_536 };
  try {
    if (!isContainer(input)) return gzipSync(mutated(gunzipSync(input), random, other, bytesAlone));
    const { units: said, parts } = readContainer(input);
    const chosen = random.of([...parts.keys()]);
    const opened = new Map<string, Uint8Array>();
    for (const [name, part] of parts) {
      const bytes = unpack(part);
      const limits = {
        words: ['[', ']', '"a"', '0', '255', '{"', '\n'],
        text: random.chance(0.2),
        bytesMax: 65_536,
      };
      opened.set(name, name === chosen ? mutated(bytes, random, bytes, limits) : bytes);
    }
    return writeContainer(said, opened, 1);
  } catch {
    return input;
  }
}
