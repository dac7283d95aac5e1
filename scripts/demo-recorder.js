#!/usr/bin/env node
// Stands in for `arecord` in the demo and in tests: writes raw S16LE, 16 kHz mono, at the pace of real time,
// whatever its arguments say. KIKITORI_DEMO_PLAYLIST names a file with one WAV path or one pause in ms a line.
// After the last line it goes on with faint noise until it is ended, as a microphone does. Into the file
// KIKITORI_DEMO_MARKS, if any, it writes when the last loud sample of each WAV was due: {"path", "endedAtMs"}.
import { appendFileSync, readFileSync } from 'node:fs';

const rateHz = 16000;
const noisePeak = 6; // of 32768: a quiet room, not digital silence
const chunkSamples = 1600;
const quietShare = 50; // below the peak by this much is no speech any more
let seed = 1;

function noise() {
  seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
  return ((seed >> 8) % (2 * noisePeak + 1)) - noisePeak;
}

function samplesOf(path) {
  const bytes = readFileSync(path);
  const at = bytes.indexOf('data') + 8;
  return Array.from({ length: (bytes.length - at) >> 1 }, (_, i) => bytes.readInt16LE(at + 2 * i));
}

function* playlist() {
  for (const line of readFileSync(process.env.KIKITORI_DEMO_PLAYLIST, 'utf8').split('\n')) {
    if (line.trim() === '') continue;
    if (/^\d+$/.test(line)) for (let i = 0; i < (Number(line) * rateHz) / 1000; i++) yield noise();
    else {
      const samples = samplesOf(line);
      const peak = samples.reduce((max, v) => Math.max(max, Math.abs(v)), 0);
      const last = samples.findLastIndex((v) => Math.abs(v) > peak / quietShare);
      for (let i = 0; i < samples.length; i++) {
        if (i === last) mark(line);
        yield Math.max(-32768, Math.min(32767, samples[i] + noise()));
      }
    }
  }
  for (;;) yield noise();
}

function mark(path) {
  if (process.env.KIKITORI_DEMO_MARKS === undefined) return;
  const endedAtMs = performance.timeOrigin + began + (1000 * position) / rateHz;
  appendFileSync(process.env.KIKITORI_DEMO_MARKS, `${JSON.stringify({ path, endedAtMs })}\n`);
}

const source = playlist();
const began = performance.now();
let written = 0;
let position = 0; // samples taken from the playlist
function tick() {
  const due = ((performance.now() - began) / 1000) * rateHz;
  while (written + chunkSamples <= due) {
    const bytes = Buffer.alloc(2 * chunkSamples);
    for (let i = 0; i < chunkSamples; i++, position++)
      bytes.writeInt16LE(source.next().value, 2 * i);
    process.stdout.write(bytes);
    written += chunkSamples;
  }
  setTimeout(tick, 50);
}
process.stdout.on('error', () => process.exit(0));
process.on('SIGTERM', () => process.exit(0));
tick();
