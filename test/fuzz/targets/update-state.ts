import { parseChannelFile } from '../../../src/update/channel.js';
import { initialState, parseState } from '../../../src/update/state.js';
import { rootFault } from '../../../src/update/trust/root.js';
import { mutateJson } from '../engine/mutate-json.js';
import { must, type Target } from '../engine/target.js';

const offer = {
  format: 1,
  channel: 'stable',
  deployment: 'd-1',
  bundle: {
    path: 'bundles/x.tar',
    name: 'x',
    version: '1.0.0',
    sha256: 'a'.repeat(64),
    bytes: 5,
    minAgent: '0.1.0',
  },
  rollout: { percent: 12.5, groups: ['line-1'], state: 'running' },
  downgrade: false,
  publishedAt: '2026-11-24T20:00:00Z',
};
const statistics = { utterances: 3, accepted: 1, rejected: 1, confidence: 0.5 };

/** A channel's file, the journal of updates and the root of trust; each input is read as all three. */
export const target: Omit<Target, 'name'> = {
  right:
    'a channel names nothing outside of the repository; a journal is whole or none; a root is judged, never thrown',
  covers: [
    'src/update/channel.ts',
    'src/update/state.ts',
    'src/update/trial.ts',
    'src/update/slots.ts',
    'src/update/trust/root.ts',
  ],
  text: true,
  where: 'channel.json',
  seeds: () => [
    JSON.stringify(offer),
    JSON.stringify({
      ...initialState,
      offer,
      installed: offer,
      phase: 'trial',
      current: 'A',
      previous: 'factory',
      target: 'A',
    }),
    JSON.stringify({
      ...initialState,
      trial: { elapsedMs: 5, powerCuts: 0, statistics, before: statistics },
      settling: { aliveMs: 1, crashes: 0 },
    }),
    JSON.stringify({
      ...initialState,
      refused: [{ sha256: 'b', version: '1.0.0', reason: 'slow', atMs: 5 }],
    }),
    JSON.stringify({
      signed: {
        _type: 'root',
        version: 1,
        spec_version: '1.0.31',
        expires: '2030-01-01T00:00:00Z',
        keys: {},
        roles: {},
      },
      signatures: [],
    }),
  ],
  mutate: mutateJson,
  run: (input) => {
    const source = input.toString('utf8');
    must(typeof (rootFault(input) ?? '') === 'string', 'a root without a judgement');
    const state = parseState(source);
    if (state !== null) {
      must(Array.isArray(state.refused) && state.openings >= 0, 'a journal that is not whole');
      must(
        JSON.stringify(parseState(JSON.stringify(state))) === JSON.stringify(state),
        'another journal after writing',
      );
      for (const o of [state.offer, state.installed, state.previousInstalled])
        if (o !== null) within(o.bundle.path);
      return;
    }
    const { bundle, rollout } = parseChannelFile(source, 'channel.json');
    within(bundle.path);
    must(rollout.percent >= 0 && rollout.percent <= 100, 'a percentage beyond 0 to 100');
  },
};

function within(path: string): void {
  must(
    !path.startsWith('/') && !path.split('/').includes('..') && !path.includes('\\'),
    `the path ${path}`,
  );
}
