import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { loadOnnxRuntime, type OnnxRuntime as Runtime } from '../../recognizer/index.js';
import { floatToHalf, halfToFloat } from '../half.js';

export const loadRuntime = (): Promise<Runtime> => loadOnnxRuntime();

/** One input of a network, row-major: float32 here, whatever the network takes. */
export interface Value {
  readonly dims: readonly number[];
  readonly data: Float32Array;
}

/** One call of a network: a value for each input. */
export type Feed = Readonly<Record<string, Value>>;

/** A network in ONNX Runtime on one thread, for measurements. */
export class Runner {
  /** Inputs that the network takes as something else than float32. */
  private readonly types: ReadonlyMap<string, string>;

  private constructor(
    private readonly runtime: Runtime,
    private readonly session: InferenceSession,
  ) {
    this.types = new Map(
      session.inputMetadata.flatMap((m) => (m.isTensor ? [[m.name, m.type]] : [])),
    );
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
      inputs[name] = this.tensorOf(this.types.get(name) ?? 'float32', data, [...dims]);
    }
    const out = await this.session.run(inputs, [...(fetches ?? this.session.outputNames)]);
    return new Map(
      Object.entries(out).map(([name, t]) => [name, { dims: t.dims, data: asFloats(t) }]),
    );
  }

  private tensorOf(type: string, data: Float32Array, dims: number[]): Tensor {
    const { Tensor } = this.runtime;
    switch (type) {
      case 'float16':
        return new Tensor('float16', Uint16Array.from(data, floatToHalf), dims);
      case 'float64':
        return new Tensor('float64', Float64Array.from(data), dims);
      case 'int64':
        return new Tensor(
          'int64',
          BigInt64Array.from(data, (v) => BigInt(Math.round(v))),
          dims,
        );
      case 'int32':
        return new Tensor('int32', Int32Array.from(data), dims);
      case 'bool':
        return new Tensor(
          'bool',
          Uint8Array.from(data, (v) => (v === 0 ? 0 : 1)),
          dims,
        );
      default:
        return new Tensor('float32', data, dims);
    }
  }

  async close(): Promise<void> {
    await this.session.release();
  }
}

function asFloats({ type, data }: Tensor): Float32Array {
  if (data instanceof Float32Array) return data;
  const values = data as ArrayLike<number | bigint>;
  return Float32Array.from(values, (v) =>
    type === 'float16' ? halfToFloat(Number(v)) : Number(v),
  );
}
