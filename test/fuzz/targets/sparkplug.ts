import { decodeCommand, encodePayload } from '../../../src/neighbours/sparkplug/payload.js';
import { mutateProtobuf } from '../engine/mutate-protobuf.js';
import { must, type Target } from '../engine/target.js';

const at = { atMs: 1_700_000_000_000 };

export const target: Omit<Target, 'name'> = {
  right:
    'values are text, number, yes or no, or none; anything is a payload or is thrown as none (the caller drops it)',
  covers: ['src/neighbours/sparkplug/payload.ts'],
  refusals: [Error],
  seeds: () => [
    encodePayload([{ name: 'Node Control/Rebirth', type: 'Boolean', value: true, ...at }], {
      timestamp: 5,
      seq: 0,
    }),
    encodePayload(
      [
        { name: 'a', type: 'String', value: 'x', ...at },
        { name: 'b', type: 'Double', value: 1.5, ...at },
        { name: 'c', type: 'Int64', value: 7, ...at },
        { name: 'd', type: 'DateTime', value: null, ...at },
      ],
      { timestamp: 5 },
    ),
  ],
  mutate: mutateProtobuf,
  run: (input) => {
    for (const [name, value] of decodeCommand(input)) {
      must(typeof name === 'string', 'a name that is no text');
      must(
        value === null || ['string', 'number', 'boolean'].includes(typeof value),
        `a ${typeof value}`,
      );
    }
  },
};
