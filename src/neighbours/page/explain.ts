/** The confidence of an answer, in words for who stands beside the machine. */
import type { Confidence } from '../../bundle/index.js';
import type { Heard } from '../../records.js';
import { certaintyOf, slotConfidenceMin, slotWordsMax } from '../../recognizer/index.js';

export interface Part {
  readonly question: string;
  /** 0 to 1. */
  readonly probability: number;
  readonly answer: string;
}

export interface Explained {
  /** What became of it, and why, in one sentence. */
  readonly verdict: string;
  /** What would help, if anything would. */
  readonly advice?: string;
  /** The questions that the confidence is made of; none where nothing was found. */
  readonly parts: readonly Part[];
}

const percent = (probability: number) => `${Math.round(100 * probability)} %`;
const quoted = (text: string) => `"${text}"`;

/** Above this an answer to one question is a plain yes, below the second a plain no. */
const yes = 0.9;
const no = 0.5;

const grade = (probability: number, words: readonly [string, string, string]) =>
  words[probability >= yes ? 0 : probability >= no ? 1 : 2];

export function explain(
  heard: Heard,
  model: Confidence,
  thresholds: { readonly minConfidence: number; readonly minCertainty: number },
): Explained {
  const parts = heard.text === '' ? [] : partsOf(heard, model);
  const weakest = parts.reduce<Part | undefined>(
    (worst, part) => (worst === undefined || part.probability < worst.probability ? part : worst),
    undefined,
  );
  const verdict = verdictOf(heard, thresholds);
  const advice = adviceFor(heard, weakest?.question);
  return { verdict, parts, ...(advice === undefined ? {} : { advice }) };
}

const questions = {
  speech: 'Was that clear speech?',
  said: 'Was it this sentence?',
  rival: 'Was it this command, and no other?',
  free: 'Were the free words made out?',
} as const;

function partsOf({ text, second, evidence, openSlots }: Heard, model: Confidence): Part[] {
  const parts: Part[] = [];
  const ask = (question: string, probability: number, words: [string, string, string]) =>
    parts.push({
      question,
      probability: Number(probability.toFixed(3)),
      answer: grade(probability, words),
    });
  if (model.speech !== undefined)
    ask(questions.speech, certaintyOf(evidence, { rival: model.speech }), [
      'Somebody spoke, and every sound was clear.',
      'Some sounds were not clear.',
      'The sounds were not clear: far away, masked by noise, or no speech.',
    ]);
  ask(questions.said, certaintyOf(evidence, { rival: model }), [
    'The sentence explains what was heard.',
    'The sentence explains most of what was heard.',
    'Something else explains better what was heard: other words, or noise.',
  ]);
  if (model.rival !== undefined) {
    const other = second === undefined || second.text === text ? '' : `: ${quoted(second.text)}`;
    ask(questions.rival, certaintyOf(evidence, model), [
      'No other command sounds like it.',
      `Another command sounds a little like it${other}.`,
      `Two commands sound alike here${other}.`,
    ]);
  }
  if (openSlots !== undefined)
    ask(questions.free, Math.min(...Object.values(openSlots).map((slot) => slot.confidence)), [
      'Every free word was clear.',
      'Some of the free words are a guess.',
      'The free words could not be made out.',
    ]);
  return parts;
}

function verdictOf(
  heard: Heard,
  thresholds: { readonly minConfidence: number; readonly minCertainty: number },
): string {
  const { reason, second, text, confidence } = heard;
  const slot = unclear(heard);
  switch (reason) {
    case undefined:
      return `Accepted, ${percent(confidence)} sure.`;
    case 'ambiguous':
      return second === undefined
        ? 'Refused: another command sounds nearly as likely.'
        : `Refused: it could also have been ${quoted(second.text)}.`;
    case 'low-confidence':
      if (slot !== undefined)
        return `Refused: ${percent(slot.confidence)} sure of the words of ${quoted(slot.name)}, ${percent(slotConfidenceMin)} is asked for.`;
      return `Refused: ${percent(confidence)} sure, ${percent(thresholds.minConfidence)} is asked for.`;
    case 'not-a-command':
      return text === ''
        ? 'Refused: it is no command.'
        : `Refused: it is no command. The nearest one is ${quoted(text)}.`;
    case 'too-long':
      return heard.openSlots === undefined
        ? 'Refused: it went on for longer than any command.'
        : `Refused: more than ${slotWordsMax} words in the free part of the command.`;
    case 'noise':
      return 'A noise, or words that are no command.';
  }
}

/** The open slot for which a command was refused. */
function unclear({ openSlots = {} }: Heard) {
  const [worst] = Object.entries(openSlots)
    .map(([name, { confidence }]) => ({ name, confidence }))
    .sort((a, b) => a.confidence - b.confidence);
  return worst !== undefined && worst.confidence < slotConfidenceMin ? worst : undefined;
}

function adviceFor({ accepted, reason }: Heard, weakest: string | undefined): string | undefined {
  if (accepted || reason === 'noise' || reason === 'not-a-command') return undefined;
  if (reason === 'too-long')
    return 'Pause before and after a command. Is a radio or a conversation near the microphone?';
  if (reason === 'ambiguous' || weakest === questions.rival)
    return 'Say it again, slowly. If it happens often, give one of the two other words.';
  if (weakest === questions.free)
    return 'Say it again, clearly. If it is a word of your site, name it in recognizer.boostPath.';
  if (weakest === questions.speech)
    return 'Speak nearer to the microphone, or louder than the machine.';
  return 'Say it again as one sentence, with the words of the grammar.';
}
