/**
 * What the Wyoming service costs: the daemon with its microphone, the service off, on, and with others heard at once.
 * usage: node dist/bench/wyoming.js [--utterances N] [--json]
 */
import { connect } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readAudioFile } from '../src/audio/index.js';
import { frameOf, FrameReader } from '../src/neighbours/wyoming/frames.js';
import { paced } from './lib/paced.js';
import { numberArgument, report, type Row } from './lib/report.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const rateHz = 16_000;
const chunkSamples = 1024;
const files = ['02.wav', '03.wav', '04.wav', '06.wav'];

/** Says its sentence at the pace of real time, again and again, until the daemon goes. */
async function speaker(port: number, file: string, answered: () => void): Promise<void> {
  const { samples } = await readAudioFile(join(root, 'demo/audio', file), { rateHz });
  const format = { rate: rateHz, width: 2, channels: 1 };
  const socket = connect({ port, host: '127.0.0.1' });
  const reader = new FrameReader();
  socket.on('error', () => undefined);
  socket.on('data', (bytes: Buffer) => {
    for (const piece of reader.feed(bytes))
      if (piece.kind === 'event' && piece.event.data['text'] !== '') answered();
  });
  for (let due = performance.now(); !socket.destroyed;) {
    socket.write(frameOf('transcribe'));
    socket.write(frameOf('audio-start', format));
    for (let at = 0; at < samples.length && !socket.destroyed; at += chunkSamples) {
      const bytes = Buffer.alloc(2 * chunkSamples);
      samples
        .subarray(at, at + chunkSamples)
        .forEach((v, i) => bytes.writeInt16LE(Math.round(v * 32767), 2 * i));
      const head = { type: 'audio-chunk', data: format, payload_length: bytes.length };
      socket.write(Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), bytes]));
      due += (1000 * chunkSamples) / rateHz;
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
    }
    socket.write(frameOf('audio-stop'));
  }
}

async function cost(name: string, listen: string, speakers: number, utterances: number) {
  const count = { answers: 0 };
  const wyoming = { listen, clients: 8 };
  const rows = await paced(root, utterances, { wyoming }, ({ event, port }) => {
    if (event !== 'wyoming.listening') return;
    for (let i = 0; i < speakers; i++)
      void speaker(Number(port), files[i % files.length] ?? '', () => count.answers++);
  });
  if (speakers > 0) process.stderr.write(`${name}: ${count.answers} orders of others answered\n`);
  return rows.map((row): Row => ({ ...row, name: `${name}: ${row.name}` }));
}

const utterances = numberArgument('utterances', 22);
const port = '127.0.0.1:0';
report('the Wyoming service', [
  ...(await cost('off', '', 0, utterances)),
  ...(await cost('on', port, 0, utterances)),
  ...(await cost('1 heard', port, 1, utterances)),
  ...(await cost('4 heard', port, 4, utterances)),
]);
