import type { EndpointTimes } from '../../bundle/index.js';
import { alignSentence, type Lexicon } from '../../recognizer/index.js';
import type { NetworkClip } from '../evaluate/network.js';
import { quantile } from '../evaluate/statistics.js';
import type { SpokenClip } from './examples.js';

const logHalf = Math.log(0.5);

/**
 * Longest stretch inside a sentence, from its first phone to its last, in which the network hears no
 * phone, in steps: a pause, or just the way CTC spreads its phones.
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

/** Which share of the sentences may hold a longer quiet than each time allows, and the times' limits. */
const rules = {
  finalMs: { share: 0.2, low: 180, high: 330 },
  openMs: { share: 0.03, low: 240, high: 480 },
  prefixMs: { share: 0.005, low: 510, high: 900 },
} as const;

/**
 * Times that end an utterance, from the quiet inside held-out sentences: hardly any sentence holds a
 * quiet of prefixMs, few one of openMs, which matters only where a sentence may end. finalMs ends what
 * cannot go on, so it only has to outlast the gaps that a late phone leaves.
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
