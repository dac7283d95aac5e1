import t, { type Test } from 'tap';
import { ReferenceModel } from '../../src/language/build/reference-model.js';

/** Small enough to be worked out by hand. */
const arpa = String.raw`made by hand

\data\
ngram 1=5
ngram 2=3
ngram 3=1

\1-grams:
-99	<s>	-0.5
-1	</s>
-0.7	a	-0.25
-0.4	b	-0.125
-2	<unk>

\2-grams:
-0.3	<s> a	-0.2
-0.6	a b
-0.1	b </s>

\3-grams:
-0.05	<s> a b

\end\
`;

const near = (t: Test, found: number, log10: number) =>
  t.ok(Math.abs(found - log10 * Math.LN10) < 1e-12, `${found / Math.LN10} is ${log10}`);

void t.test('back-off as the format defines it', async (t) => {
  const lm = new ReferenceModel(arpa);
  const [a, b] = ['a', 'b'].map((w) => lm.numberOf(w) ?? -1) as [number, number];
  t.equal(lm.order, 3);
  t.equal(lm.size, 5);
  near(t, lm.lnProbability(lm.begin, a), -0.3);
  const sa = lm.advance(lm.begin, a);
  near(t, lm.lnProbability(sa, b), -0.05);
  near(t, lm.lnProbability(sa, a), -0.2 - 0.25 - 0.7);
  near(t, lm.lnProbability(sa, lm.unknown), -0.2 - 0.25 - 2);
  const ab = lm.advance(sa, b);
  t.equal(ab, lm.advance(lm.empty, b), 'nothing extends "a b": the context is "b"');
  near(t, lm.lnProbability(ab, lm.end), -0.1);
  near(t, lm.lnProbability(ab, a), -0.125 - 0.7);
  t.equal(lm.advance(ab, lm.end), lm.empty);
  t.equal(lm.advance(ab, lm.unknown), lm.empty);
});

void t.test('bad files are refused with their lines, all at once', async (t) => {
  t.throws(() => new ReferenceModel(arpa.replace('-0.7\ta', 'NaN\ta')), {
    message: /^ARPA:11: the probability is "NaN", expected its log10/,
  });
  t.throws(() => new ReferenceModel(arpa.replace('-0.5\n', 'inf\n')), {
    message: /ARPA:9: the back-off is "inf"/,
  });
  t.throws(() => new ReferenceModel(arpa.replace('ngram 2=3', 'ngram 2=4')), {
    message: /3 n-grams of order 2 stand in it, it says 4/,
  });
  t.throws(() => new ReferenceModel(arpa.replace('\\end\\', '')), { message: /cut off/ });
  t.throws(() => new ReferenceModel('hello\n'), { message: /no ARPA file/ });
  t.throws(() => new ReferenceModel(arpa.replace('a b\n', 'a c\n').replace('-2\t', 'x\t')), {
    message: /ARPA:13: the probability is "x".*\nARPA:17: "c" is not among the 1-grams/,
  });
});
