/** Whether a segment was speech, by its words and how they fit what was heard. */
import t from 'tap';
import {
  defaultMinConfidence,
  segmentConfidence,
} from '../../../src/recognizer/dictation/index.js';

/** Medians of what was measured: bench/notes/2026-11-30-dictation.md. */
const alone = { wordMean: 0.97, words: 1, phoneShare: 0.42, fit: 0 };
const noise = { wordMean: 0.39, words: 2, phoneShare: 0.1, fit: -4.9 };
const sentence = { wordMean: 0.6, words: 10, phoneShare: 0.36, fit: -0.8 };

void t.test('a word alone that fits is speech, and noise is not', async (t) => {
  t.ok(segmentConfidence(alone) > 0.9);
  t.ok(segmentConfidence(sentence) > defaultMinConfidence, 'kept at the default');
  t.ok(segmentConfidence(noise) < 0.1);
  t.ok(segmentConfidence({ ...alone, fit: -4.9 }) < segmentConfidence(alone));
});

void t.test('no part of the evidence speaks against speech, and none is infinite', async (t) => {
  for (const [name, more] of [
    ['wordMean', 0.1],
    ['words', 1],
    ['phoneShare', 0.1],
    ['fit', 0.1],
  ] as const)
    t.ok(
      segmentConfidence({ ...sentence, [name]: sentence[name] + more }) >=
        segmentConfidence(sentence),
      name,
    );
  t.equal(
    segmentConfidence({ ...noise, fit: -1e9 }),
    segmentConfidence({ ...noise, fit: -8 }),
    'the worst fit is as bad as any',
  );
});
