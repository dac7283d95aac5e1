import { generate } from 'mqtt-packet';
import { Inbound } from '../../../src/publish/inbound.js';
import { must, type Target } from '../engine/target.js';

const bytesMax = 64;

class TooLong extends Error {}

/** The first byte says how the rest is cut. Packets of more than 64 bytes are too long here. */
export const target: Omit<Target, 'name'> = {
  right:
    'what goes on is what a plain reading of the whole stream gives, however it is cut; no packet is too long',
  covers: ['src/publish/inbound.ts'],
  refusals: [TooLong],
  seeds: () => [
    seed(3, [
      { cmd: 'connack', returnCode: 0, sessionPresent: false },
      publish('a/b', 'hello'),
      { cmd: 'pingresp' },
    ]),
    seed(1, [
      publish('kikitori/request', 'x'.repeat(200)),
      publish('a', 'y'),
      { cmd: 'puback', messageId: 7 },
    ]),
    seed(50, [publish('t', 'z'.repeat(20_0)), publish('t', 'z'.repeat(20))]),
  ],
  run: (input) => {
    const size = 1 + ((input[0] ?? 0) % 70);
    const bytes = input.subarray(1);
    const wanted = reference(bytes);
    const inbound = new Inbound(bytesMax);
    const got: Buffer[] = [];
    try {
      for (let at = 0; at < bytes.length; at += size)
        got.push(inbound.feed(bytes.subarray(at, at + size)));
    } catch (error) {
      must(wanted === null, `refused without need: ${String(error)}`);
      throw new TooLong((error as Error).message);
    }
    must(wanted !== null, 'a packet that is too long went on');
    must(Buffer.concat(got).equals(wanted), 'not what a plain reading gives');
  },
};

function publish(topic: string, payload: string) {
  return { cmd: 'publish' as const, topic, payload, qos: 0 as const, dup: false, retain: false };
}

function seed(cut: number, packets: readonly object[]): Buffer {
  return Buffer.concat([Buffer.from([cut]), ...packets.map((p) => generate(p as never))]);
}

/** Packet by packet, of the whole stream; null: a packet that is too long and no message. */
function reference(bytes: Buffer): Buffer | null {
  const out: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    let length = 0;
    let head = 1;
    let more = true;
    for (; more && head < 5; head++) {
      const byte = bytes[at + head];
      // The rest is not there yet: nothing of this packet goes on.
      if (byte === undefined) return Buffer.concat(out);
      length += (byte & 127) * 128 ** (head - 1);
      more = byte >= 128;
    }
    if (more) return Buffer.concat([...out, bytes.subarray(at)]);
    const body = bytes.subarray(at + head, at + head + length);
    if (head + length <= bytesMax) out.push(bytes.subarray(at, at + head), body);
    else if ((bytes[at] ?? 0) >> 4 !== 3) return null;
    else out.push(Buffer.from([bytes[at] ?? 0, bytesMax - 5]), body.subarray(0, bytesMax - 5));
    at += head + length;
  }
  return Buffer.concat(out);
}
