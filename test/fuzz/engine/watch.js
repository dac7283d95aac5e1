// A thread beside the fuzzer: an execution without an end, or one that eats the memory, cannot be stopped from within.
// It writes the input down, says so and ends the process.
import { writeFileSync, writeSync } from 'node:fs';
import { workerData } from 'node:worker_threads';

const { beats, input, hangMs, memoryBytesMax, folder, name } = workerData;
const beat = new Int32Array(beats);
let last = -1;
let atCpu = 0;

const cpuMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

function end(what) {
  const bytes = Buffer.from(input).subarray(0, Atomics.load(beat, 1));
  const path = `${folder}/${name}-${what.match(/\w+/)[0]}`;
  writeFileSync(path, bytes);
  writeSync(1, `FOUND ${what}: ${path}\n`);
  process.kill(process.pid, 'SIGKILL');
}

for (;;) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  const now = Atomics.load(beat, 0);
  const memory = process.memoryUsage.rss();
  if (memory > memoryBytesMax) end(`memory ${Math.round(memory / 1e6)} MB`);
  if (now !== last) {
    last = now;
    atCpu = cpuMs();
  } else if (now > 0 && cpuMs() - atCpu > hangMs) end(`hang, ${Math.round(cpuMs() - atCpu)} ms`);
}
