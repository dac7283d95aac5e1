/** What the update machine is tried with. */
const rules = { utterances: 50, durationMs: 3_600_000, minSample: 20, realTimeFactor: 0.5 };
export const context = { nowMs: 1_700_000_000_000, rules };

export const bundle = (version: string) => ({
  path: 'x.tar',
  name: 'tones',
  version,
  sha256: version.replace(/\./g, '').padEnd(64, '0'),
  bytes: 1000,
  minAgent: '0.1.0',
});
