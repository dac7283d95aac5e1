import { recognizerOptions } from '../agent/board.js';
import { openReady } from '../agent/updates.js';
import { Capture } from '../capture/index.js';
import { loadConfig } from '../config/index.js';
import { Ear } from '../agent/ear.js';
import type { RecognizerEvent } from '../recognizer/index.js';
import type { Heard } from '../records.js';
import { systemClock } from '../runtime/clock.js';
import { messageOf } from '../runtime/errors.js';
import { configOptions, configPath, jsonLine, parse, type CommandRun } from './shared/command.js';
import { refusal, transcriptLine } from './transcribe.js';

const usage = 'kikitori listen [--config FILE] [--json]      (microphone to terminal; Ctrl-C ends)';
const meterWidth = 30;
const meterFloorDb = -60;

/** A bar for the level of the last chunk, -60 to 0 dBFS. */
export function meter(samples: Float32Array): string {
  const peak = samples.reduce((max, v) => Math.max(max, Math.abs(v)), 1e-6);
  const db = Math.max(meterFloorDb, 20 * Math.log10(peak));
  const filled = Math.round(meterWidth * (1 - db / meterFloorDb));
  return `[${'#'.repeat(filled).padEnd(meterWidth)}] ${db.toFixed(0).padStart(4)} dBFS`;
}

export const run: CommandRun = async (argv, io) => {
  const { values } = parse(argv, configOptions, usage);
  if (values.help === true) {
    io.stdout.write(`usage: ${usage}\n`);
    return 0;
  }
  const config = loadConfig(configPath(values.config, io), io.env);
  const ready = await openReady(config, config.model.path);
  const { mode } = config.recognizer;
  // As the daemon hears it; only that nobody can push a button here.
  const ear = new Ear(
    ready,
    (engine) => ({ ...recognizerOptions(config, engine), dictationByRequest: false }),
    mode === 'push-to-talk' ? 'always' : mode,
  );
  let working: Promise<void> = Promise.resolve();
  const { grammar } = ready;
  const { freeWords } = grammar;
  io.stderr.write(
    freeWords === undefined || mode !== 'dictation'
      ? `${grammar.sentences.toLocaleString('en')} sentences; say one (kikitori grammar sample shows some)\n`
      : `${freeWords.graph.words.toLocaleString('en')} words in any order; say some\n`,
  );
  let failure: unknown;
  const say = (heard: Heard) => {
    if (values.json === true) jsonLine(io, transcriptLine('microphone', heard));
    else
      io.stdout.write(
        `\r${' '.repeat(meterWidth + 14)}\r${heard.accepted ? 'heard' : refusal(heard)}: "${heard.text}" ${heard.intent ?? ''} ${JSON.stringify(heard.slots)} [${heard.confidence.toFixed(2)}]\n`,
      );
  };
  const tell = (events: readonly RecognizerEvent[]) => {
    for (const event of events) {
      if (event.type === 'heard') say(event.heard);
      else if (event.type === 'wake' && values.json !== true)
        io.stderr.write(`\n"${config.recognizer.wake.phrase}" (${event.score.toFixed(2)})\n`);
    }
  };
  await new Promise<void>((resolve) => {
    const capture = new Capture(
      config.capture,
      ready.engine.bundle.manifest.features.sampleRateHz,
      {
        onChunk: (chunk) => {
          io.stderr.write(`\r${meter(chunk.samples)} `);
          working = working.then(async () => {
            tell(await ear.feed(chunk));
          });
          return working;
        },
        onState: (state, why) =>
          io.stderr.write(`\nmicrophone ${state}${why === '' ? '' : `: ${why}`}\n`),
        onEnd: (error) => {
          failure = error;
          void working.then(async () => {
            tell(await ear.stop());
            finish();
          });
        },
      },
      systemClock,
      Math.random,
    );
    const finish = () => void capture.stop().then(resolve);
    process.once('SIGINT', finish);
    process.once('SIGTERM', finish);
    capture.start();
  });
  if (failure === undefined) return 0;
  io.stderr.write(`kikitori listen: ${messageOf(failure)}\n`);
  return 1;
};
