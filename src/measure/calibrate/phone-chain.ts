import type { PhoneChain } from '../../bundle/index.js';

/** What the dictionary says of any phones is mixed with this share of what their mere frequency says. */
const smoothing = 0.02;
/** Speech begins anywhere, not only with a word. */
const midwordShare = 0.3;

/**
 * How phones follow each other, from a dictionary whose every word is as likely as any other, said one
 * after the other: ln p(first), ln p(next | before), two decimals. Indices are unit ids less one.
 */
export function phoneChain(pronunciations: Iterable<readonly number[]>, units: number): PhoneChain {
  // Index 0 is the border between words.
  const counts = Array.from({ length: units }, () => new Float64Array(units));
  const count = (before: number, phone: number) => {
    const row = counts[before];
    if (row !== undefined) row[phone] = (row[phone] ?? 0) + 1;
  };
  for (const phones of pronunciations) {
    let before = 0;
    for (const phone of phones) {
      count(before, phone);
      before = phone;
    }
    count(before, 0);
  }
  const shares = counts.map((row) => {
    const total = row.reduce((a, b) => a + b, 0);
    return row.map((n) => (total === 0 ? 1 / units : n / total));
  });
  const phones = Array.from({ length: units - 1 }, (_, i) => i + 1);
  const starts = shares[0] ?? new Float64Array(units);
  const often = phones.map((p) => counts.reduce((s, row) => s + (row[p] ?? 0), 0));
  const all = often.reduce((a, b) => a + b, 0);
  const usual = (p: number) => (all === 0 ? 1 / phones.length : (often[p - 1] ?? 0) / all);
  const ln = (share: number) => Number(Math.log(Math.max(share, 1e-6)).toFixed(2));
  return {
    first: phones.map((p) => ln((1 - midwordShare) * (starts[p] ?? 0) + midwordShare * usual(p))),
    next: phones.map((before) =>
      phones.map((p) => {
        const row = shares[before];
        const said = (row?.[p] ?? 0) + (row?.[0] ?? 0) * (starts[p] ?? 0);
        return ln((1 - smoothing) * said + smoothing * usual(p));
      }),
    ),
  };
}
