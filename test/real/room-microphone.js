#!/usr/bin/env node
// Stands in for arecord where the recorder may write nothing, as under the systemd unit: a quiet room at the pace of
// real time. Each WAV (16 kHz mono) whose path is added to say.txt beside this file is heard in it once.
import { readFileSync } from 'node:fs';

const rateHz = 16000;
const blockSamples = 800;
const noisePeak = 40; // of 32768: -58 dBFS, a quiet room
const sayings = new URL('say.txt', import.meta.url);
let seed = 1;
const noise = () => {
  seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
  return ((seed >> 8) % (2 * noisePeak + 1)) - noisePeak;
};

// A new start of the recorder begins after what was said before.
let known = readFileSync(sayings, 'utf8').length;
const news = () => {
  const lines = readFileSync(sayings, 'utf8').slice(known).split('\n').slice(0, -1);
  known += lines.reduce((sum, line) => sum + line.length + 1, 0);
  return lines;
};

function* clip(path) {
  const bytes = readFileSync(path);
  for (let at = bytes.indexOf('data') + 8; at + 1 < bytes.length; at += 2)
    yield Math.max(-32768, Math.min(32767, bytes.readInt16LE(at) + noise()));
}

function* room() {
  for (;;) {
    for (const path of news()) yield* clip(path);
    for (let i = 0; i < blockSamples; i++) yield noise();
  }
}

const source = room();
const began = performance.now();
let written = 0;
function tick() {
  const due = ((performance.now() - began) / 1000) * rateHz;
  for (; written + blockSamples <= due; written += blockSamples) {
    const bytes = Buffer.alloc(2 * blockSamples);
    for (let i = 0; i < blockSamples; i++) bytes.writeInt16LE(source.next().value, 2 * i);
    process.stdout.write(bytes);
  }
  setTimeout(tick, 20);
}
process.stdout.on('error', () => process.exit(0));
process.on('SIGTERM', () => process.exit(0));
tick();
