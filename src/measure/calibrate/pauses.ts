import type { EndpointTimes } from '../../bundle/index.js';
import { alignSentence, type Lexicon } from '../../recognizer/index.js';
import type { NetworkClip } from '../evaluate/network.js';
import { quantile } from '../evaluate/statistics.js';
import type { SpokenClip } from './examples.js';

const logHalf = Math.log(0.5);

/**
 * The longest run of blanks between the first and the last phone of a sentence, in steps. It may be a pause, or just the
 * distance between two spikes of CTC.
 */
export function longestQuiet(
  { logProbs, steps }: NetworkClip,
  pronunciations: readonly (readonly (readonly number[])[])[],
): number {
  const units = logProbs.length / Math.max(steps, 1);
  const { phones } = alignSentence(pronunciations, logProbs, units);
  const [first, last] = [phones[0]?.startFrame ?? 0, phones.at(-1)?.startFrame ?? 0];
  let longest = 0;
  let quiet = 0;
  for (let t = first; t <= last; t++) {
    quiet = (logProbs[t * units] ?? 0) > logHalf ? quiet + 1 : 0;
    longest = Math.max(longest, quiet);
  }
  return longest;
}

/** Share of the sentences that may hold a longer quiet than each time, and the limits of the times. */
const rules = {
  finalMs: { share: 0.2, low: 180, high: 330 },
  openMs: { share: 0.03, low: 240, high: 480 },
  prefixMs: { share: 0.005, low: 510, high: 900 },
} as const;

/**
 * End-pointing times, from the quiet inside held-out sentences.
 * - prefixMs ends a sentence in its middle: hardly any sentence may hold so long a quiet.
 * - openMs ends a sentence that may go on: few may hold it.
 * - finalMs ends what cannot go on: it only outlasts the gap before a late phone.
 */
export function chooseEndpoint(
  clips: readonly SpokenClip[],
  lexicon: Lexicon,
  stepMs: number,
  from: EndpointTimes,
): EndpointTimes {
  const longest = clips.map(
    ({ clip, text }) =>
      stepMs *
      longestQuiet(
        clip,
        text.split(' ').map((word) => lexicon.lookup(word).map((p) => p.phones)),
      ),
  );
  if (longest.length === 0) return from;
  const time = ({ share, low, high }: (typeof rules)[keyof typeof rules]) =>
    Math.min(high, Math.max(low, stepMs + Math.round(quantile(longest, 1 - share))));
  const finalMs = time(rules.finalMs);
  const openMs = Math.max(finalMs, time(rules.openMs));
  const prefixMs = Math.max(openMs, time(rules.prefixMs));
  return { ...from, finalMs, openMs, prefixMs, holdMs: prefixMs + finalMs };
}
