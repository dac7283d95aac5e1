/** How the three Silero detectors of npm's `@ricky0123/vad-web` are called, at 16 kHz; at 8 kHz with half of it. */
export interface SileroVersion {
  readonly name: string;
  readonly file: string;
  /** Samples of a frame, and how many of the one before come first. */
  readonly frame: number;
  readonly context: number;
  readonly state: Readonly<Record<string, readonly number[]>>;
  /** Outputs that are inputs of the next frame. */
  readonly next: Readonly<Record<string, string>>;
}

export const sileroVersions: readonly SileroVersion[] = [
  {
    name: 'legacy',
    file: 'silero_vad_legacy.onnx',
    frame: 1536,
    context: 0,
    state: { h: [2, 1, 64], c: [2, 1, 64] },
    next: { hn: 'h', cn: 'c' },
  },
  ...['v5', 'v6'].map((v) => ({
    name: v,
    file: `silero_vad_${v}.onnx`,
    frame: 512,
    context: 64,
    state: { state: [2, 1, 128] },
    next: { stateN: 'state' },
  })),
];
