// Loaded before the fuzzer (scripts/fuzz): every source file counts which of its branches ran.
// The counters of all files lie side by side in one array, so that one look tells what an execution did.
import { register } from 'node:module';

/** More branches than src/ has. */
const counters = new Uint8Array(1 << 18);
const files = [];
let used = 0;

globalThis.kikitoriBranches = {
  counters,
  /** In order of loading: name, first counter, how many, texts that the source holds. */
  files,
  /** @returns the counters of one file. */
  of(file, count, texts) {
    if (used + count > counters.length) throw new Error('more branches than there are counters');
    files.push({ file, from: used, count, texts });
    used += count;
    return counters.subarray(used - count, used);
  },
};

register('./instrumented-hooks.js', import.meta.url);
