import type { Engine, SiteGrammar } from '../../engine/engine.js';
import type { WakePhrase } from '../../recognizer/index.js';
import type { Heard } from '../../records.js';
import { hearAgain, throughNetwork, withLooks } from '../evaluate/network.js';
import { sameMeaning } from '../evaluate/score.js';
import { hearStream } from '../evaluate/stream.js';
import { peaksOf } from '../evaluate/wake.js';
import {
  better,
  chooseThreshold,
  chooseTimes,
  chooseWakeThreshold,
  scoreClips,
  type HeardClip,
  type Score,
} from './choose.js';
import type { SiteRecordings } from './clips.js';

export interface Settings {
  readonly warp: number;
  readonly gainDb: number;
  readonly minConfidence: number;
  readonly openMs: number;
  readonly prefixMs: number;
}

export interface Tuned {
  readonly before: Score & { readonly settings: Settings };
  readonly after: Score & { readonly settings: Settings };
  readonly longestPauseMs: number;
  /** Absent where nobody recorded the wake phrase. */
  readonly wake?: TunedWake;
  readonly tried: readonly {
    readonly warp: number;
    readonly gainDb: number;
    readonly score: Score;
  }[];
}

export interface TunedWake {
  readonly recordings: number;
  readonly threshold: number;
  /** Of the recordings, at the threshold. */
  readonly heard: number;
  /** In the commands and the noise, at the threshold. */
  readonly alarms: number;
  readonly before: { readonly threshold: number; readonly heard: number; readonly alarms: number };
}

const gainsDb = [-12, -6, 6, 12, 18];
const warps = [0.88, 0.92, 0.96, 1.04, 1.08, 1.12];

/**
 * Chooses gain, then warp, by the site's own commands; then the threshold by its noise, then the times
 * by its speakers' pauses, then the wake phrase's threshold by recordings of it (if any) against all the others.
 * One thing after the other, so the cost is a dozen passes over a few clips.
 */
export async function tune(
  engine: Engine,
  grammar: SiteGrammar,
  site: SiteRecordings,
  from: Settings,
  progress: (line: string) => void,
  phrase?: WakePhrase,
): Promise<Tuned> {
  const { manifest } = engine.bundle;
  const tried: Tuned['tried'][number][] = [];
  const hearAll = async (s: Settings): Promise<HeardClip[]> => {
    const out: HeardClip[] = [];
    for (const { meaning, samples } of site.commands) {
      const clip = await withLooks(engine, amplified(samples, s.gainDb), s.warp);
      const heard = await hearAgain(manifest, clip, grammar, {
        minConfidence: s.minConfidence,
        ...(grammar.freeWords === undefined ? {} : { openSlots: grammar.freeWords }),
      });
      out.push({ right: sameMeaning(heard, meaning), heard });
    }
    return out;
  };
  const hearNoise = async (s: Settings): Promise<Heard[]> => {
    const recognizer = engine.recognizer(grammar, { minConfidence: s.minConfidence });
    const out: Heard[] = [];
    for (const samples of site.noise)
      for (const event of await hearStream(engine, recognizer, amplified(samples, s.gainDb), {
        warp: s.warp,
      }))
        out.push(event.heard);
    return out;
  };
  const before = scoreClips(await hearAll(from), await hearNoise(from));
  progress(`as it is: ${before.right} of ${before.clips} right`);
  let best = { settings: from, score: before };
  const tryOne = async (settings: Settings) => {
    const score = scoreClips(await hearAll(settings), []);
    tried.push({ warp: settings.warp, gainDb: settings.gainDb, score });
    progress(
      `gain ${settings.gainDb} dB, warp ${settings.warp}: ${score.right} right, confidence ${score.meanConfidence.toFixed(3)}`,
    );
    if (better(score, best.score)) best = { settings, score };
  };
  for (const gain of gainsDb) await tryOne({ ...from, gainDb: from.gainDb + gain });
  const { settings: withGain } = best;
  for (const warp of warps) await tryOne({ ...withGain, warp });
  const clips = await hearAll(best.settings);
  const noise = await hearNoise(best.settings);
  const minConfidence = chooseThreshold(clips, noise, manifest.confidence.threshold);
  const { longestPauseMs, openMs, prefixMs } = chooseTimes(clips, manifest.endpoint);
  const settings = { ...best.settings, minConfidence, openMs, prefixMs };
  const after = scoreClips(await hearAll(settings), await hearNoise(settings));
  return {
    before: { ...before, settings: from },
    after: { ...after, settings },
    longestPauseMs,
    ...(phrase === undefined || site.wake.length === 0
      ? {}
      : { wake: await tuneWake(engine, site, settings, phrase) }),
    tried,
  };
}

async function tuneWake(
  engine: Engine,
  site: SiteRecordings,
  { gainDb, warp }: Settings,
  phrase: WakePhrase,
): Promise<TunedWake> {
  const best = async (sounds: readonly Float32Array[]): Promise<number[]> => {
    const out: number[] = [];
    for (const samples of sounds) {
      const clip = await throughNetwork(engine, amplified(samples, gainDb), warp);
      const peaks = peaksOf(clip, phrase);
      out.push(peaks.reduce((most, { score }) => Math.max(most, score), -Infinity));
    }
    return out;
  };
  const hits = await best(site.wake);
  const others = await best([...site.commands.map((c) => c.samples), ...site.noise]);
  const at = (threshold: number) => ({
    threshold,
    heard: hits.filter((score) => score >= threshold).length,
    alarms: others.filter((score) => score >= threshold).length,
  });
  const threshold = chooseWakeThreshold(hits, others, phrase.threshold);
  return { recordings: hits.length, ...at(threshold), before: at(phrase.threshold) };
}

function amplified(samples: Float32Array, gainDb: number): Float32Array {
  if (gainDb === 0) return samples;
  const gain = 10 ** (gainDb / 20);
  return samples.map((v) => Math.max(-1, Math.min(1, v * gain)));
}
