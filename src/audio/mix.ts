/** Frame of the speech-to-intent benchmark's rule, in samples. */
const frameSamples = 2048;

/** Largest energy of any whole frame; of everything when it is shorter than one. */
export function peakFrameEnergy(samples: Float32Array): number {
  let peak = 0;
  for (let at = 0; at === 0 || at + frameSamples <= samples.length; at += frameSamples) {
    let energy = 0;
    const end = Math.min(at + frameSamples, samples.length);
    for (let i = at; i < end; i++) energy += (samples[i] ?? 0) ** 2;
    peak = Math.max(peak, energy);
  }
  return peak;
}

/**
 * Speech with noise at `snrDb` by the peak-frame rule of the public speech-to-intent benchmark: the
 * ratio is between the loudest 2,048-sample frames of both. Noise begins at `offset` and repeats. If
 * the sum would clip, all of it is made quieter.
 */
export function mixAtSnr(
  speech: Float32Array,
  noise: Float32Array,
  snrDb: number,
  offset = 0,
): Float32Array {
  const used = Float32Array.from(speech, (_, i) => noise[(offset + i) % noise.length] ?? 0);
  const gain = Math.sqrt(
    peakFrameEnergy(speech) / Math.max(peakFrameEnergy(used), 1e-20) / 10 ** (snrDb / 10),
  );
  const mixed = speech.map((v, i) => v + gain * (used[i] ?? 0));
  const peak = mixed.reduce((max, v) => Math.max(max, Math.abs(v)), 0);
  return peak > 1 ? mixed.map((v) => v / (peak * 1.0001)) : mixed;
}
