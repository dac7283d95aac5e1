/**
 * Letter-to-sound rules, judged on words they have not seen: trains on CMUdict without the words whose
 * SHA-256 begins with 0 (one in sixteen), and compares on those. Stress is ignored; of several
 * pronunciations in the dictionary the nearest counts.
 *
 *   node dist/bench/g2p.js [--order N] [--prune X]
 */
import { createHash } from 'node:crypto';
import { parseArgs } from 'node:util';
import { brotliCompressSync } from 'node:zlib';
import { dictionary } from 'cmu-pronouncing-dictionary';
import { dictionaryEntries, G2p, trainG2p } from '../src/recognizer/lexicon/index.js';
import { bestOf, phoneErrors } from './lib/phone-error.js';

const units =
  '<blank> AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH'.split(
    ' ',
  );

const { values } = parseArgs({ options: { order: { type: 'string' }, prune: { type: 'string' } } });
const heldOut = (word: string) => createHash('sha256').update(word).digest('hex').startsWith('0');
const entries = dictionaryEntries(dictionary, units);
const began = process.hrtime.bigint();
const bytes = trainG2p(
  entries.filter(([word]) => !heldOut(word)),
  {
    ...(values.order === undefined ? {} : { order: Number(values.order) }),
    ...(values.prune === undefined ? {} : { prune: Number(values.prune) }),
  },
);
const trainedS = Number(process.hrtime.bigint() - began) / 1e9;
const g2p = G2p.parse(bytes);

const references = new Map<string, number[][]>();
for (const [word, phones] of entries) {
  if (heldOut(word) && /^[a-z]+$/.test(word))
    references.set(word, [...(references.get(word) ?? []), phones]);
}
const totals = { phones: 0, errors: 0, wrongWords: 0, errorsOfTwo: 0 };
const start = process.hrtime.bigint();
const guesses = [...references.keys()].map((word) => g2p.guesses(word, 2));
const perWordMs = Number(process.hrtime.bigint() - start) / 1e6 / references.size;
[...references.values()].forEach((ways, i) => {
  const [first, ...others] = (guesses[i] ?? []).map(({ phones }) => phones);
  const best = bestOf(first ?? [], ways);
  totals.phones += best.length;
  totals.errors += best.errors;
  totals.wrongWords += best.errors > 0 ? 1 : 0;
  totals.errorsOfTwo += Math.min(
    best.errors,
    ...others.flatMap((other) => ways.map((way) => phoneErrors(other, way))),
  );
});
const percent = (part: number, whole: number) => Number(((100 * part) / whole).toFixed(2));
process.stdout.write(
  `${JSON.stringify({
    heldOutWords: references.size,
    phoneErrorPercent: percent(totals.errors, totals.phones),
    wordErrorPercent: percent(totals.wrongWords, references.size),
    phoneErrorOfBestOfTwoPercent: percent(totals.errorsOfTwo, totals.phones),
    bytes: bytes.length,
    compressedBytes: brotliCompressSync(bytes).length,
    trainedS: Number(trainedS.toFixed(1)),
    perWordMs: Number(perWordMs.toFixed(2)),
  })}\n`,
);
