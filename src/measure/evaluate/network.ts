import type { Decoding, Manifest } from '../../bundle/index.js';
import type { Engine } from '../../engine/engine.js';
import type { Heard, Steps } from '../../records.js';
import { joinedFloats } from '../../runtime/joined.js';
import {
  levelOf,
  Recognizer,
  type Acoustic,
  type CompiledGrammar,
  type Look,
  type RecognizerOptions,
} from '../../recognizer/index.js';

/** A clip after the network: everything that search, confidence and thresholds need of it. */
export interface NetworkClip {
  /** Row-major [steps, units], natural logarithm, as the network gave them. */
  readonly logProbs: Float32Array;
  readonly steps: number;
  /** Level of each step; see levelOf. */
  readonly levels: Float32Array;
  /** The same in the other ways of `Engine.looks`, in that order; see withLooks. */
  readonly looks?: readonly Float32Array[];
}

/** The costly part, once a clip and condition; thresholds and grammars are tried on the result. */
export async function throughNetwork(
  engine: Engine,
  samples: Float32Array,
  warp?: number,
): Promise<NetworkClip> {
  return ofRows(engine, engine.frontend(warp).feed(samples));
}

/** The same with what its other looks make of it, for those who judge commands: a pass of the network each. */
export async function withLooks(
  engine: Engine,
  samples: Float32Array,
  warp?: number,
  decoding: Pick<Decoding, 'shifts' | 'warps'> = engine.bundle.manifest.decoding,
): Promise<NetworkClip> {
  const rows = engine.frontend(warp).feed(samples);
  const looks: Float32Array[] = [];
  for (const look of engine.looks(decoding)) looks.push((await look(rows.data)).data);
  return { ...(await ofRows(engine, rows)), looks };
}

async function ofRows(engine: Engine, rows: Steps): Promise<NetworkClip> {
  const stream = engine.acoustic.begin();
  const head = await stream.feed(rows.data);
  const tail = await stream.finish();
  const logProbs = new Float32Array(head.data.length + tail.data.length);
  logProbs.set(head.data);
  logProbs.set(tail.data, head.data.length);
  const levels = Float32Array.from({ length: rows.steps }, (_, t) =>
    levelOf(rows.data.subarray(t * rows.dim, (t + 1) * rows.dim)),
  );
  return { logProbs, steps: head.steps + tail.steps, levels };
}

/** A network that answers what was kept of a clip; its rows of features are the levels. */
export function replay(units: number, clip: NetworkClip): Acoustic {
  return {
    units,
    dim: 1,
    begin: () => {
      let given = 0;
      return {
        feed: (rows) => {
          const [from, to] = [given, Math.min(clip.steps, given + rows.length)];
          given = to;
          const data = clip.logProbs.subarray(from * units, to * units);
          return Promise.resolve({ data, steps: to - from });
        },
        finish: () => Promise.resolve({ data: new Float32Array(0), steps: 0 }),
      };
    },
  };
}

/** A kept clip as one utterance, by the device's own recogniser. */
export function hearAgain(
  manifest: Manifest,
  clip: NetworkClip,
  grammar: CompiledGrammar,
  options: RecognizerOptions = {},
): Promise<Heard> {
  const { levels, steps } = clip;
  const { shifts = [], warps = [] } = manifest.decoding;
  const looks = [...shifts, ...warps].flatMap((_, i): Look[] => {
    const data = clip.looks?.[i];
    if (data === undefined) return [];
    const units = data.length / Math.max(steps, 1);
    return [
      ({ length }) => Promise.resolve({ data: data.subarray(0, length * units), steps: length }),
    ];
  });
  const recognizer = new Recognizer(manifest, replay(manifest.units.length, clip), grammar, {
    looks,
    ...options,
  });
  return recognizer.recognizeWhole({ data: levels, steps, dim: 1, firstStep: 0 });
}

/** Part of a clip: steps [from, to). */
export function cut(clip: NetworkClip, from: number, to: number): NetworkClip {
  const units = clip.logProbs.length / Math.max(clip.steps, 1);
  const end = Math.min(to, clip.steps);
  const part = (rows: Float32Array) => rows.subarray(from * units, end * units);
  return {
    logProbs: part(clip.logProbs),
    ...(clip.looks === undefined ? {} : { looks: clip.looks.map(part) }),
    levels: clip.levels.subarray(from, end),
    steps: Math.max(0, end - from),
  };
}

/** Several clips, one after the other. */
export function joined(...clips: readonly NetworkClip[]): NetworkClip {
  const looks = clips[0]?.looks?.map((_, i) =>
    joinedFloats(clips.map((c) => c.looks?.[i] ?? c.logProbs)),
  );
  return {
    logProbs: joinedFloats(clips.map((c) => c.logProbs)),
    ...(looks === undefined ? {} : { looks }),
    levels: joinedFloats(clips.map((c) => c.levels)),
    steps: clips.reduce((n, c) => n + c.steps, 0),
  };
}
