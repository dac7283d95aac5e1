/**
 * Machine noise from a seed: what a factory adds to a microphone, for measuring false accepts and for
 * calibration. Motors (harmonics of a drifting fundamental), bands of broad noise, impacts that ring,
 * bursts of air, mains hum and alarms. The same seed gives the same noise.
 */
export function machineNoise(seconds: number, rateHz: number, random: () => number): Float32Array {
  const out = new Float32Array(Math.round(seconds * rateHz));
  const between = (low: number, high: number) => low + (high - low) * random();
  const sources: ((o: Float32Array, rate: number, r: () => number, gain: number) => void)[] = [
    motor,
    band,
    impacts,
    bursts,
    hum,
    alarm,
  ];
  const chosen = sources.filter(() => random() < 0.5);
  for (const add of chosen.length === 0 ? [motor, band] : chosen)
    add(out, rateHz, random, 10 ** (between(-20, 0) / 20));
  return scaled(out, 10 ** (between(-36, -6) / 20));
}

/** Scenes of `sceneSeconds` one after the other. */
export function* machineScenes(
  seconds: number,
  rateHz: number,
  random: () => number,
  sceneSeconds = 20,
): Generator<Float32Array> {
  for (let at = 0; at < seconds; at += sceneSeconds)
    yield machineNoise(Math.min(sceneSeconds, seconds - at), rateHz, random);
}

/** Makes the largest amplitude `peak`. */
export function scaled(samples: Float32Array, peak: number): Float32Array {
  const largest = samples.reduce((max, v) => Math.max(max, Math.abs(v)), 1e-9);
  return samples.map((v) => (v * peak) / largest);
}

function motor(out: Float32Array, rate: number, random: () => number, gain: number): void {
  const fundamental = 20 + 140 * random();
  const harmonics = 6 + Math.floor(30 * random());
  const slope = 0.6 + random();
  const strength = Array.from({ length: harmonics }, (_, h) => (0.3 + random()) / (h + 1) ** slope);
  const offset = strength.map(() => 2 * Math.PI * random());
  const drift = 0.05 * random();
  const driftHz = 0.05 + 0.3 * random();
  const throb = 0.6 * random();
  const throbHz = 1 + 8 * random();
  let phase = 0;
  for (let i = 0; i < out.length; i++) {
    const time = i / rate;
    phase +=
      (2 * Math.PI * fundamental * (1 + drift * Math.sin(2 * Math.PI * driftHz * time))) / rate;
    let sum = 0;
    for (let h = 0; h < harmonics; h++)
      if (fundamental * (h + 1) < 0.45 * rate)
        sum += (strength[h] ?? 0) * Math.sin(phase * (h + 1) + (offset[h] ?? 0));
    out[i] =
      (out[i] ?? 0) + gain * 0.3 * sum * (1 + throb * Math.sin(2 * Math.PI * throbHz * time));
  }
}

/** White noise through two-pole resonators, its level slowly moving. */
function band(out: Float32Array, rate: number, random: () => number, gain: number): void {
  const bands = 1 + Math.floor(4 * random());
  for (let b = 0; b < bands; b++) {
    const filter = resonator(100 * 50 ** random(), rate, 0.5 + 5 * random());
    const movingHz = 0.1 + 2 * random();
    const depth = 0.8 * random();
    for (let i = 0; i < out.length; i++) {
      const level = 1 + depth * Math.sin((2 * Math.PI * movingHz * i) / rate);
      out[i] = (out[i] ?? 0) + gain * level * filter(2 * random() - 1);
    }
  }
}

/** Blows, regular or not, each with ringing modes of its own. */
function impacts(out: Float32Array, rate: number, random: () => number, gain: number): void {
  const everySeconds = 0.2 + 2 * random();
  const regular = random() < 0.6;
  const modes = Array.from({ length: 3 + Math.floor(4 * random()) }, () => ({
    hz: 200 + 5000 * random() ** 2,
    decay: 10 + 150 * random(),
    strength: random(),
  }));
  for (let at = everySeconds * random(); at * rate < out.length;) {
    const blow = 0.5 + random();
    const end = Math.min(out.length, Math.round((at + 0.4) * rate));
    for (let i = Math.round(at * rate); i < end; i++) {
      const time = i / rate - at;
      for (const { hz, decay, strength } of modes)
        out[i] =
          (out[i] ?? 0) +
          gain * blow * strength * Math.exp(-decay * time) * Math.sin(2 * Math.PI * hz * time);
    }
    at += regular ? everySeconds : everySeconds * (0.2 + 1.6 * random());
  }
}

/** Compressed air: hiss that opens and closes. */
function bursts(out: Float32Array, rate: number, random: () => number, gain: number): void {
  const filter = resonator(2500 + 3000 * random(), rate, 0.5);
  let at = 0;
  while (at < out.length) {
    at += Math.round(rate * (0.3 + 3 * random()));
    const end = Math.min(out.length, at + Math.round(rate * (0.05 + 0.8 * random())));
    for (let i = at; i < end; i++) {
      const edge = Math.min(1, (i - at) / (0.01 * rate), (end - i) / (0.03 * rate));
      out[i] = (out[i] ?? 0) + gain * edge * filter(2 * random() - 1);
    }
    at = end;
  }
}

function hum(out: Float32Array, rate: number, random: () => number, gain: number): void {
  const mains = random() < 0.5 ? 50 : 60;
  for (const harmonic of [1, 2, 3, 5, 7]) {
    const strength = (gain * random()) / harmonic;
    for (let i = 0; i < out.length; i++)
      out[i] = (out[i] ?? 0) + strength * Math.sin((2 * Math.PI * mains * harmonic * i) / rate);
  }
}

/** A beeping signal of one or two tones. */
function alarm(out: Float32Array, rate: number, random: () => number, gain: number): void {
  const tones = [500 + 2500 * random(), 500 + 2500 * random()];
  const periodSeconds = 0.3 + 1.2 * random();
  for (let i = 0; i < out.length; i++) {
    const beat = (i / rate / periodSeconds) % 1;
    if (beat > 0.8) continue;
    const tone = beat < 0.4 ? tones[0] : tones[1];
    out[i] = (out[i] ?? 0) + 0.4 * gain * Math.sin((2 * Math.PI * (tone ?? 0) * i) / rate);
  }
}

/** Two-pole resonator of about unit power for white input. */
function resonator(hz: number, rate: number, octavesWide: number): (x: number) => number {
  const radius = Math.exp((-Math.PI * hz * Math.min(octavesWide, 1.5)) / rate / 2);
  const a1 = 2 * radius * Math.cos((2 * Math.PI * Math.min(hz, 0.45 * rate)) / rate);
  const a2 = -radius * radius;
  const norm = Math.sqrt(1 - radius * radius);
  let y1 = 0;
  let y2 = 0;
  return (x) => {
    const y = norm * x + a1 * y1 + a2 * y2;
    y2 = y1;
    y1 = y;
    return y;
  };
}
