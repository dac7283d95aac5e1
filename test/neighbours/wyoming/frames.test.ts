/** Frames of the Wyoming protocol, whatever the network cuts them into. */
import t from 'tap';
import {
  FrameError,
  frameOf,
  FrameReader,
  type EventData,
} from '../../../src/neighbours/wyoming/frames.js';
import { randomFrom } from '../../../src/measure/evaluate/statistics.js';

interface Whole {
  type: string;
  data: EventData;
  payload: string;
}

/** Reads pieces of the given sizes; payloads joined again. */
function read(bytes: Buffer, sizes: () => number): { all: Whole[]; within: boolean } {
  const reader = new FrameReader();
  const all: Whole[] = [];
  for (let at = 0; at < bytes.length;) {
    const size = sizes();
    for (const piece of reader.feed(bytes.subarray(at, at + size)))
      if (piece.kind === 'event')
        all.push({ type: piece.event.type, data: piece.event.data, payload: '' });
      else (all.at(-1) as Whole).payload += piece.bytes.toString('latin1');
    at += size;
  }
  return { all, within: reader.within };
}

const events: Whole[] = [
  { type: 'describe', data: {}, payload: '' },
  { type: 'audio-chunk', data: { rate: 16000, text: 'größer\n' }, payload: 'ab\n{"type":"x"}\ncd' },
  { type: 'ping', data: { text: null, nested: { a: [1, 2] } }, payload: '' },
  { type: 'audio-stop', data: {}, payload: '' },
];

const frames = events.map(({ type, data, payload }) => {
  const more = Buffer.from(Object.keys(data).length === 0 ? '' : JSON.stringify(data));
  const head = {
    type,
    data_length: more.length,
    ...(payload === '' ? {} : { payload_length: payload.length }),
  };
  return Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), more, Buffer.from(payload)]);
});
const written = Buffer.concat(frames);

void t.test('the same events, however they are cut', async (t) => {
  const random = randomFrom(3);
  for (let round = 0; round < 300; round++) {
    const most = 1 + Math.floor(random() * (round < 100 ? 4 : 60));
    const { all, within } = read(written, () => 1 + Math.floor(random() * most));
    t.same(all, events);
    t.equal(within, false);
  }
});

void t.test('data behind the line is laid over what stands in it', async (t) => {
  const bytes = Buffer.from('{"type":"a","data":{"x":1,"y":1},"data_length":7}\n{"y":2}');
  t.same(read(bytes, () => 1000).all, [{ type: 'a', data: { x: 1, y: 2 }, payload: '' }]);
});

void t.test('what is written is read again', async (t) => {
  for (const { type, data } of events)
    t.same(read(frameOf(type, data), () => 7).all, [{ type, data, payload: '' }]);
});

void t.test('half a frame is waited for', async (t) => {
  let end = 0;
  const ends = new Set(frames.map((frame) => (end += frame.length)));
  for (let length = 1; length <= written.length; length++) {
    const { within } = read(written.subarray(0, length), () => 5);
    t.equal(within, !ends.has(length), `${length} bytes`);
  }
});

void t.test('what is no frame is refused, with the reason', async (t) => {
  const refused: [string, RegExp][] = [
    ['\n', /no JSON/],
    ['GET / HTTP/1.1\r\n', /no JSON/],
    ['[1]\n', /no JSON object/],
    ['null\n', /no JSON object/],
    ['{"data":{}}\n', /without a type/],
    ['{"type":7}\n', /without a type/],
    ['{"type":"a","data":[]}\n', /data that is no JSON object/],
    ['{"type":"a","data_length":-1}\n', /data_length/],
    ['{"type":"a","data_length":1e9}\n', /data_length/],
    ['{"type":"a","data_length":"7"}\n', /data_length/],
    ['{"type":"a","payload_length":1.5}\n', /payload_length/],
    ['{"type":"a","payload_length":1e12}\n', /payload_length/],
    ['{"type":"a","data_length":3}\n{ab', /no JSON/],
    ['{"type":"a","data_length":3}\n[1]', /no JSON object/],
    [`{"type":"${'a'.repeat(70_000)}"}\n`, /a line of more than/],
    ['x'.repeat(70_000), /a line of more than/],
  ];
  for (const [text, why] of refused)
    t.throws(() => read(Buffer.from(text), () => 1000), why, text.slice(0, 40));
});

void t.test('any bytes are events or an error, never a crash', async (t) => {
  const random = randomFrom(9);
  for (let round = 0; round < 500; round++) {
    const bytes = Buffer.from(written);
    for (let i = 0; i < 1 + round / 50; i++)
      bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
    try {
      read(bytes, () => 1 + Math.floor(random() * 30));
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
    }
  }
  t.pass('no other error');
});

void t.test('a payload is not held', async (t) => {
  const reader = new FrameReader();
  let bytes = 0;
  const piece = Buffer.alloc(65_536);
  for (const _ of reader.feed(Buffer.from('{"type":"audio-chunk","payload_length":100000000}\n')))
    t.ok(_);
  for (let i = 0; i < 1600; i++)
    for (const got of reader.feed(piece.subarray(0, Math.min(65_536, 100_000_000 - bytes))))
      if (got.kind === 'payload') bytes += got.bytes.length;
  t.equal(bytes, 100_000_000);
  t.equal(reader.within, false);
});

void t.test('data that are dripped in byte by byte are read', async (t) => {
  const text = 'x'.repeat(5000);
  t.same(read(frameOf('ping', { text }), () => 1).all, [
    { type: 'ping', data: { text }, payload: '' },
  ]);
});
