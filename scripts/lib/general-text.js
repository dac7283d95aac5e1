/**
 * The texts of the general language model, from their packages' folders to running text on standard output: paragraphs with
 * empty lines between them, as `kikitori lm build --prose` reads them. scripts/lm-general fetches the packages.
 *
 *   node scripts/lib/general-text.js FOLDER addresses|whale|austen|wordnet|factbook
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { inflateSync } from 'node:zlib';

const [folder, kind] = process.argv.slice(2);

/** In one order on every machine. */
const namesIn = (path) => readdirSync(path).sort();

/** Addresses of presidents: a file is one long paragraph. */
function* addresses() {
  for (const name of namesIn(join(folder, 'data')).filter((file) => file.endsWith('.txt')))
    yield readFileSync(join(folder, 'data', name), 'utf8');
}

function* whale() {
  yield readFileSync(join(folder, 'data', 'data.txt'), 'utf8');
}

/** Novels in a store of R: packed objects, each with its length before it; in them every string is a line of a book. */
function* austen() {
  const store = readFileSync(join(folder, 'Rdata.rdb'));
  for (let at = 0; at + 4 < store.length;) {
    const begin = at + 4;
    const { buffer: bytes, engine } = inflateSync(store.subarray(begin), { info: true });
    at = begin + engine.bytesWritten;
    const lines = [];
    // Type 9 is a string, here of ASCII or UTF-8: four bytes of flags, four of its length.
    for (let i = 0; i + 8 <= bytes.length;) {
      const flags = bytes.readUInt32BE(i);
      const length = bytes.readInt32BE(i + 4);
      if (
        (flags & 0xff) === 9 &&
        flags >>> 8 < 0x1000 &&
        length >= 0 &&
        i + 8 + length <= bytes.length
      ) {
        lines.push(bytes.toString('utf8', i + 8, i + 8 + length));
        i += 8 + length;
      } else i += 1;
    }
    yield lines.join('\n');
  }
}

/** What WordNet says of each meaning: explanations and, in quotation marks, examples. */
function* wordnet() {
  for (const part of ['noun', 'verb', 'adj', 'adv'])
    for (const line of readFileSync(join(folder, `data.${part}`), 'utf8').split('\n')) {
      const [, gloss] = line.split(' | ');
      if (gloss === undefined || line.startsWith('  ')) continue;
      const examples = [...gloss.matchAll(/"([^"]+)"/g)].map((found) => found[1] ?? '');
      yield* examples.filter((example) => example.split(' ').length > 2);
    }
}

/** Profiles of countries: every text of whole sentences, wherever it stands. */
function* factbook() {
  const sentences = function* (value) {
    if (typeof value === 'string') {
      if (/[a-z]{3}.*\.$/.test(value) && value.split(' ').length > 7)
        yield value.replace(/\s+/g, ' ');
    } else if (value !== null && typeof value === 'object')
      for (const inner of Object.values(value)) yield* sentences(inner);
  };
  for (const region of namesIn(folder).filter((name) => !name.includes('.')))
    for (const file of namesIn(join(folder, region)).filter((name) => name.endsWith('.json')))
      yield* sentences(JSON.parse(readFileSync(join(folder, region, file), 'utf8')));
}

const kinds = { addresses, whale, austen, wordnet, factbook };
const texts = kinds[kind];
if (texts === undefined || folder === undefined) {
  process.stderr.write('usage: general-text.js FOLDER addresses|whale|austen|wordnet|factbook\n');
  process.exitCode = 2;
} else for (const text of texts()) process.stdout.write(`${text.trim()}\n\n`);
