/** Zero crossings of the sinc on each side: -60 dB of alias with this window. */
const crossings = 16;
/** The pass band ends here, as a share of the lower Nyquist frequency. */
const passBand = 0.94;

/** Streaming band-limited resampler: a windowed sinc evaluated where each output sample lies. */
export class Resampler {
  private readonly step: number;
  private readonly cutoff: number;
  private readonly reach: number;
  private kept = new Float32Array(0);
  /** Index in the input stream of kept[0]. */
  private keptFrom = 0;
  private nextOut = 0;

  constructor(fromHz: number, toHz: number) {
    this.step = fromHz / toHz;
    this.cutoff = passBand * Math.min(1, toHz / fromHz);
    this.reach = Math.ceil(crossings / this.cutoff);
  }

  feed(samples: Float32Array): Float32Array {
    return this.run(samples, false);
  }

  /** The last samples, as if silence followed. */
  finish(): Float32Array {
    return this.run(new Float32Array(0), true);
  }

  private run(samples: Float32Array, last: boolean): Float32Array {
    const input = new Float32Array(this.kept.length + samples.length);
    input.set(this.kept);
    input.set(samples, this.kept.length);
    const end = this.keptFrom + input.length;
    const out: number[] = [];
    for (;;) {
      const centre = this.nextOut * this.step;
      if (last ? centre >= end : centre + this.reach >= end) break;
      out.push(this.at(centre, input));
      this.nextOut++;
    }
    const keepFrom = Math.max(
      this.keptFrom,
      Math.min(end, Math.floor(this.nextOut * this.step) - this.reach),
    );
    this.kept = input.slice(keepFrom - this.keptFrom);
    this.keptFrom = keepFrom;
    return Float32Array.from(out);
  }

  private at(centre: number, input: Float32Array): number {
    let sum = 0;
    const first = Math.max(Math.ceil(centre) - this.reach, this.keptFrom);
    const last = Math.min(Math.floor(centre) + this.reach, this.keptFrom + input.length - 1);
    for (let n = first; n <= last; n++) {
      const x = n - centre;
      const phase = Math.PI * x * this.cutoff;
      const sinc = Math.abs(phase) < 1e-9 ? 1 : Math.sin(phase) / phase;
      const window = 0.5 + 0.5 * Math.cos((Math.PI * x) / (this.reach + 1));
      sum += (input[n - this.keptFrom] ?? 0) * sinc * window;
    }
    return sum * this.cutoff;
  }
}

export function resample(samples: Float32Array, fromHz: number, toHz: number): Float32Array {
  if (fromHz === toHz) return samples;
  const resampler = new Resampler(fromHz, toHz);
  const head = resampler.feed(samples);
  const tail = resampler.finish();
  const out = new Float32Array(head.length + tail.length);
  out.set(head);
  out.set(tail, head.length);
  return out;
}
