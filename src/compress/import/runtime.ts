import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { floatToHalf, halfToFloat } from '../half.js';

type Runtime = typeof import('onnxruntime-node');

export async function loadRuntime(): Promise<Runtime> {
  const loaded = (await import('onnxruntime-node')) as Runtime & { default?: Runtime };
  return loaded.default ?? loaded;
}

/** One input of a network: float32, row-major. */
export interface Value {
  readonly dims: readonly number[];
  readonly data: Float32Array;
}

/** One call of a network: a value for each input. */
export type Feed = Readonly<Record<string, Value>>;

/** A network in ONNX Runtime on one thread, for measurements. */
export class Runner {
  /** Inputs that the network takes as float16. */
  private readonly halves: ReadonlySet<string>;

  private constructor(
    private readonly runtime: Runtime,
    private readonly session: InferenceSession,
  ) {
    const half = session.inputMetadata.filter((m) => m.isTensor && m.type === 'float16');
    this.halves = new Set(half.map((m) => m.name));
  }

  static async open(bytes: Uint8Array): Promise<Runner> {
    const runtime = await loadRuntime();
    const session = await runtime.InferenceSession.create(bytes, {
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      logSeverityLevel: 4,
    });
    return new Runner(runtime, session);
  }

  get outputNames(): readonly string[] {
    return this.session.outputNames;
  }

  async run(feed: Feed, fetches?: readonly string[]): Promise<Map<string, Value>> {
    const inputs: Record<string, Tensor> = {};
    for (const [name, { dims, data }] of Object.entries(feed)) {
      inputs[name] = this.halves.has(name)
        ? new this.runtime.Tensor('float16', Uint16Array.from(data, floatToHalf), [...dims])
        : new this.runtime.Tensor('float32', data, [...dims]);
    }
    const out = await this.session.run(inputs, [...(fetches ?? this.session.outputNames)]);
    return new Map(
      Object.entries(out).map(([name, t]) => [name, { dims: t.dims, data: asFloats(t) }]),
    );
  }

  async close(): Promise<void> {
    await this.session.release();
  }
}

function asFloats({ type, data }: Tensor): Float32Array {
  if (data instanceof Float32Array) return data;
  const values = data as ArrayLike<number>;
  return Float32Array.from(values, (v) => (type === 'float16' ? halfToFloat(v) : Number(v)));
}
