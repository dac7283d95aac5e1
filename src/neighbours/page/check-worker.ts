/** Sentences compiled in a thread beside the daemon's own: it may take long, and hearing goes on. */
import { setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { Bundle } from '../../bundle/index.js';
import { readLexicon } from '../../engine/engine.js';
import { checkGrammar } from './check-grammar.js';
import type { CheckJob } from './check-thread.js';

/** Of this thread alone: where there is one core, hearing has it first. */
const niceness = 10;

setPriority(niceness);
const { text, file, phonesMax, modelPath, wordsPath, openSlots } = workerData as CheckJob;
const lexicon = await readLexicon(
  await Bundle.open(modelPath),
  wordsPath === '' ? undefined : wordsPath,
);
parentPort?.postMessage(checkGrammar(text, { file, lexicon, phonesMax, openSlots }));
