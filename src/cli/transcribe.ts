import { readAudioFile } from '../audio/index.js';
import { Engine, hearClip } from '../engine.js';
import type { Heard } from '../records.js';
import { KikitoriError, messageOf } from '../runtime/errors.js';
import { defaultGrammarPath, defaultModelPath } from '../runtime/paths.js';
import { jsonLine, numberOption, parse, usageError, type CommandRun } from './command.js';

const usage = `kikitori transcribe [--model DIR|FILE] [--grammar FILE] [--words FILE] [--min-confidence P] [--json] FILE...

One line a file: what was said, whether it is accepted as a command, intent, slots and confidence.
WAV is read natively, other formats through ffmpeg or sox. A file that cannot be read is said on
stderr and makes the exit status 1; the others are still recognised.`;

/** The contract of \`transcribe --json\`: one object a file. */
export function transcriptLine(file: string, heard: Heard) {
  return {
    file,
    text: heard.text,
    accepted: heard.accepted,
    intent: heard.intent,
    slots: heard.slots,
    confidence: Number(heard.confidence.toFixed(4)),
    startMs: heard.startMs,
    endMs: heard.endMs,
    words: heard.words,
    reason: heard.reason ?? null,
    ...(heard.reason === 'ambiguous' ? { second: heard.second ?? null } : {}),
  };
}

/** "refused (reason)", with the other sentence where it was one of two. */
export function refusal({ reason, second }: Heard): string {
  const other = reason === 'ambiguous' && second !== undefined ? `; or "${second.text}"?` : '';
  return `refused (${reason ?? ''}${other})`;
}

function humanLine(file: string, heard: Heard): string {
  const slots = Object.entries(heard.slots).map(
    ([name, value]) => ` ${name}=${JSON.stringify(value)}`,
  );
  const verdict = heard.accepted ? `${heard.intent ?? ''}${slots.join('')}` : refusal(heard);
  return `${file}: ${JSON.stringify(heard.text)} -> ${verdict} [${heard.confidence.toFixed(2)}]\n`;
}

export const run: CommandRun = async (argv, io) => {
  const { values, positionals } = parse(
    argv,
    {
      model: { type: 'string', default: defaultModelPath },
      grammar: { type: 'string', default: defaultGrammarPath },
      words: { type: 'string' },
      'min-confidence': { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
    usage.split('\n')[0] ?? '',
  );
  if (values.help) {
    io.stdout.write(`usage: ${usage}\n`);
    return 0;
  }
  if (positionals.length === 0) throw usageError('no files were given', usage.split('\n')[0] ?? '');
  const engine = await Engine.open({
    modelPath: String(values.model),
    grammarPath: String(values.grammar),
    ...(typeof values.words === 'string' ? { wordsPath: values.words } : {}),
    recognizer: {
      minConfidence: numberOption('min-confidence', values['min-confidence']),
    },
  });
  const recognizer = engine.recognizer(await engine.compile());
  let failed = 0;
  for (const file of positionals) {
    try {
      const clip = await readAudioFile(file, {
        rateHz: engine.bundle.manifest.features.sampleRateHz,
      });
      if (clip.truncated)
        io.stderr.write(
          `${file}: shorter than its header says; using the ${clip.seconds.toFixed(2)} s that are there\n`,
        );
      const heard = await hearClip(engine, recognizer, clip.samples);
      if (values.json === true) jsonLine(io, transcriptLine(file, heard));
      else io.stdout.write(humanLine(file, heard));
    } catch (error) {
      if (!(error instanceof KikitoriError)) throw error;
      failed++;
      io.stderr.write(`${messageOf(error)}\n`);
    }
  }
  return failed === 0 ? 0 : 1;
};
