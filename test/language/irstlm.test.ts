/**
 * The same text by IRSTLM's "Improved Kneser-Ney" (Debian's irstlm). It differs from Chen and Goodman in two places. Its words
 * have undiscounted shares, and unknown ones a Witten-Bell share. And it counts a pair "<s> <s>", which moves the discounts in
 * the third digit. So its own words and the discounts that it prints are put under our counts; then every pair and triple must
 * have its probability, and every context its back-off, within 0.001 in log10.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { readArpa } from '../../src/language/build/arpa.js';
import { GramsModel } from '../../src/language/build/grams.js';
import { ReferenceModel } from '../../src/language/build/reference-model.js';
import { generator } from '../sim/random-text.js';
import { each, smoothed } from '../sim/small-models.js';

const tlm = '/usr/lib/irstlm/bin/tlm';
const skip = existsSync(tlm) ? false : 'irstlm is not installed (apt-get install irstlm)';

void t.test('pairs, triples and back-offs are those of IRSTLM', { skip }, async (t) => {
  const text = generator(3, 100_000, 5000).zipfText();
  const folder = mkdtempSync(join(tmpdir(), 'kikitori-irstlm-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const [input, output] = [join(folder, 'text'), join(folder, 'arpa')];
  writeFileSync(input, text.map((words) => `<s> ${words.join(' ')} </s>\n`).join(''));
  const ran = spawnSync(
    tlm,
    [`-tr=${input}`, '-n=3', '-lm=ImprovedKneserNey', `-oarpa=${output}`, '-ps=no'],
    { env: { ...process.env, IRSTLM: '/usr/lib/irstlm' }, encoding: 'utf8' },
  );
  t.equal(ran.status, 0, ran.stderr.slice(-2000));
  const arpa = readFileSync(output, 'utf8');
  const theirs = new ReferenceModel(arpa);
  await t.resolves(readArpa(each(arpa.split('\n')), 'IRSTLM'), 'our reader takes their file');

  const printed = [...ran.stderr.matchAll(/^(\d\S*) (\d\S*) (\d\S*)$/gm)].map((line) => ({
    of: [0, Number(line[1]), Number(line[2]), Number(line[3])] as const,
    assumed: false,
  }));
  t.equal(printed.length, 3, 'it prints its discounts');
  const own = smoothed(text, { vocabulary: 100_000 });
  own.discounts.forEach(({ of }, i) => {
    const gaps = of.map((d, count) => Math.abs(d - (printed[i]?.of[count] ?? NaN)));
    t.ok(Math.max(...gaps) < 0.01, `discounts of order ${i + 1}: ${gaps.join(', ')}`);
  });
  const { grams } = smoothed(text, { vocabulary: 100_000 }, printed);
  const ours = new GramsModel(grams);
  const number = (word: string) => theirs.numberOf(word) ?? NaN;
  const log10 = (p: number) => Math.log(p) / Math.LN10;
  let worstPair = 0;
  let worstTriple = 0;
  let worstBackOff = 0;
  const { words, wordPairs, pairWord, pairTriples, tripleWord } = grams;
  for (let first = 0; first < words.length; first += 1) {
    const begins = words[first] === '<s>';
    const backWord = Math.exp(ours.lnBackOffOfWord(first));
    for (
      let pair = wordPairs[first] as number;
      pair < (wordPairs[first + 1] as number);
      pair += 1
    ) {
      const second = pairWord[pair] as number;
      const here = number(words[second] as string);
      const context = begins
        ? theirs.begin
        : theirs.advance(theirs.empty, number(words[first] as string));
      // What is left of the count, and our back-off with their word.
      const discounted = Math.exp(ours.lnOfPair(pair)) - backWord * Math.exp(ours.lnOfWord(second));
      const made = discounted + backWord * Math.exp(theirs.lnProbability(theirs.empty, here));
      const theirPair = theirs.lnProbability(context, here);
      worstPair = Math.max(worstPair, Math.abs(log10(made) - theirPair / Math.LN10));
      const back = Math.exp(ours.lnBackOffOfPair(pair));
      const both = theirs.advance(context, here);
      for (let i = pairTriples[pair] as number; i < (pairTriples[pair + 1] as number); i += 1) {
        const third = tripleWord[i] as number;
        const last = number(words[third] as string);
        const single = theirs.advance(theirs.empty, here);
        const lower = Math.exp(ours.lnProbability(1 + second, third));
        const free = Math.exp(ours.lnOfTriple(i)) - back * lower;
        const whole = free + back * Math.exp(theirs.lnProbability(single, last));
        const theirTriple = theirs.lnProbability(both, last);
        worstTriple = Math.max(worstTriple, Math.abs(log10(whole) - theirTriple / Math.LN10));
      }
      if (!ours.isContextPair(pair)) continue;
      // Their back-off, by a word that never stands behind the pair: the begin of a sentence.
      const never = number('<unk>');
      const single = theirs.advance(theirs.empty, here);
      const theirBack = theirs.lnProbability(both, never) - theirs.lnProbability(single, never);
      worstBackOff = Math.max(worstBackOff, Math.abs(log10(back) - theirBack / Math.LN10));
    }
  }
  t.comment(`pairs ${worstPair}, triples ${worstTriple}, back-offs ${worstBackOff}`);
  t.ok(worstPair < 1e-3, `pairs: ${worstPair}`);
  t.ok(worstTriple < 1e-3, `triples: ${worstTriple}`);
  t.ok(worstBackOff < 1e-3, `back-offs: ${worstBackOff}`);
});
