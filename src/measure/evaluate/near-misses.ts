import { compileGrammar, type GrammarDetails, type Lexicon } from '../../recognizer/index.js';
import type { Heard } from '../../records.js';

/** Commands that differ in one word that is easily taken for the other. */
export const minimalPairs: readonly (readonly [string, string])[] = [
  ['turn the light on', 'turn the light off'],
  ['switch on the pump', 'switch off the pump'],
  ['start conveyor three', 'stop conveyor three'],
  ['start the machine', 'stop the machine'],
  ['set speed to fifteen', 'set speed to fifty'],
  ['set speed to thirteen', 'set speed to thirty'],
  ['set speed to sixteen percent', 'set speed to sixty percent'],
  ['lock the door', 'unlock the door'],
  ['load the tray', 'unload the tray'],
  ['increase the pressure', 'decrease the pressure'],
  ['open valve five', 'open valve nine'],
  ['move left', 'move right'],
  ['raise the gate', 'raise the plate'],
  ['go up', 'go on'],
];

export function sentencesGrammar(sentences: readonly string[], lexicon: Lexicon): GrammarDetails {
  const data = sentences.map((s) => ({ sentences: [s], slots: { text: s } }));
  return compileGrammar(JSON.stringify({ intents: { said: { data } } }), {
    file: 'minimal pairs',
    lexicon,
  });
}

export type Verdict = 'right' | 'refused' | 'wrong';

/**
 * Whether what was heard means `said`, under a grammar in which each sentence has itself as its slot "text". Its words alone may be
 * written otherwise: "debtors'" is told as "debtors".
 */
export function means(heard: Pick<Heard, 'slots'>, said: string): boolean {
  return heard.slots['text'] === said;
}

export function verdict(heard: Heard, said: string): Verdict {
  if (!heard.accepted) return 'refused';
  return means(heard, said) ? 'right' : 'wrong';
}
