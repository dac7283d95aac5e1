import { readAudioFile, soundFilesOf } from '../audio/index.js';
import { dictate } from '../engine/dictate.js';
import { Engine, hearClip } from '../engine/engine.js';
import { type DictatedSegment } from '../recognizer/dictation/index.js';
import type { Heard } from '../records.js';
import { KikitoriError, messageOf } from '../runtime/errors.js';
import { defaultGrammarPath, defaultModelPath } from '../runtime/paths.js';
import { freeWordsReader } from './shared/free-words.js';
import {
  channelOption,
  jsonLine,
  numberOption,
  parse,
  usageError,
  type CommandRun,
} from './shared/command.js';
import { filesFrom } from './shared/files-from.js';

const usage = `kikitori transcribe [--model DIR|FILE] [--grammar FILE] [--words FILE] [--min-confidence P] [--language-model FILE] [--boost FILE] [--channel N] [--files-from LIST|-] [--json] FILE|DIR...
       kikitori transcribe --dictation --language-model FILE [--boost FILE] [--model DIR|FILE] [--words FILE] [--channel N] [--json] FILE|DIR...

One line a file: what was said, whether it is accepted as a command, intent, slots and confidence.
WAV is read natively, other formats through ffmpeg or sox. A file that cannot be read is said on
stderr and makes the exit status 1; the others are still recognised. Of a folder every sound file
anywhere in it is taken, sorted. --files-from: a list with a name a line, or a NUL behind each name
(find -print0); - is standard input. --channel: of a recording with several, from 0 as
capture.channel; -1, as without it: all mixed.

--language-model: of "kikitori lm". Sentences with {dictation} or a list with "wildcard: true" are heard
too: any words in that place of a command.

--dictation: free speech instead of commands, by a language model of "kikitori lm": a line for what was
said between two pauses, with its times. Nothing is accepted or refused. In brackets the probability that it
was speech, and how certain its words are on the mean. --boost: own terms, a line each, and how many times as likely each is than the
language model says: "conveyor: 20". Those that it does not know are listened for too.`;

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

/** The contract of \`transcribe --dictation --json\`: one object for what was said between two pauses. */
export function dictatedLine(file: string, segment: DictatedSegment) {
  const { words, startMs, endMs, confidence } = segment;
  const mean = words.reduce((sum, w) => sum + w.confidence, 0) / words.length;
  return {
    file,
    text: words.map((w) => w.word).join(' '),
    confidence: Number(confidence.toFixed(4)),
    wordConfidence: Number(mean.toFixed(4)),
    startMs,
    endMs,
    words: words.map((w) => ({ ...w, confidence: Number(w.confidence.toFixed(4)) })),
  };
}

function dictatedHumanLine(file: string, segment: DictatedSegment): string {
  const { text, confidence, wordConfidence, startMs, endMs } = dictatedLine(file, segment);
  const seconds = (ms: number) => (ms / 1000).toFixed(2);
  return `${file}: ${seconds(startMs)} to ${seconds(endMs)} s: ${JSON.stringify(text)} [${confidence.toFixed(2)}, words ${wordConfidence.toFixed(2)}]\n`;
}

export const run: CommandRun = async (argv, io) => {
  const { values, positionals } = parse(
    argv,
    {
      model: { type: 'string', default: defaultModelPath },
      grammar: { type: 'string', default: defaultGrammarPath },
      words: { type: 'string' },
      'min-confidence': { type: 'string' },
      channel: { type: 'string' },
      dictation: { type: 'boolean', default: false },
      'language-model': { type: 'string' },
      boost: { type: 'string' },
      'files-from': { type: 'string', multiple: true, default: [] },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
    usage.split('\n')[0] ?? '',
    { most: Infinity },
  );
  if (values.help) {
    io.stdout.write(`usage: ${usage}\n`);
    return 0;
  }
  const channel = channelOption(values.channel);
  const named = [...positionals];
  for (const list of values['files-from']) named.push(...(await filesFrom(list)));
  if (named.length === 0) throw usageError('no files were given', usage.split('\n')[0] ?? '');
  const languageModel = values['language-model'];
  if (values.dictation && languageModel === undefined)
    throw usageError('--dictation needs --language-model FILE', usage.split('\n')[1]?.trim() ?? '');
  if (languageModel === undefined && values.boost !== undefined)
    throw usageError('--boost needs --language-model FILE', usage.split('\n')[1]?.trim() ?? '');
  const freeWords =
    languageModel === undefined ? undefined : freeWordsReader(languageModel, io, values.boost);
  const engine = await Engine.open({
    modelPath: String(values.model),
    grammarPath: String(values.grammar),
    ...(freeWords === undefined ? {} : { freeWords }),
    ...(typeof values.words === 'string' ? { wordsPath: values.words } : {}),
    recognizer: {
      minConfidence: numberOption('min-confidence', values['min-confidence']),
    },
  });
  const hearsFreely =
    values.dictation && freeWords !== undefined ? (await freeWords(engine.lexicon)).graph : null;
  const recognizer = values.dictation ? null : engine.recognizer(await engine.compile());
  let failed = 0;
  /** What cannot be read is said; the others are still heard. */
  const attempt = async (work: () => Promise<void>) => {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof KikitoriError)) throw error;
      failed++;
      io.stderr.write(`${messageOf(error)}\n`);
    }
  };
  const hear = async (file: string) => {
    const { sampleRateHz: rateHz } = engine.bundle.manifest.features;
    const clip = await readAudioFile(file, { rateHz, channel });
    if (clip.truncated)
      io.stderr.write(
        `${file}: damaged or cut off; using the ${clip.seconds.toFixed(2)} s that are there\n`,
      );
    if (hearsFreely !== null)
      for await (const segment of dictate(engine, hearsFreely, clip.samples))
        if (values.json) jsonLine(io, dictatedLine(file, segment));
        else io.stdout.write(dictatedHumanLine(file, segment));
    if (recognizer === null) return;
    const heard = await hearClip(engine, recognizer, clip.samples);
    if (values.json === true) jsonLine(io, transcriptLine(file, heard));
    else io.stdout.write(humanLine(file, heard));
  };
  for (const path of named)
    await attempt(async () => {
      for (const file of await soundFilesOf(path)) await attempt(() => hear(file));
    });
  return failed === 0 ? 0 : 1;
};
