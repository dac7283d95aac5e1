import type { GrammarDetails, Lexicon } from '../../recognizer/index.js';
import { means, sentencesGrammar, verdict } from './near-misses.js';
import type { Heard } from '../../records.js';

export interface Spoken {
  readonly set: string;
  readonly text: string;
}

/**
 * A grammar of one's own sentence and `others` more of the same set, drawn by chance: what people say in sentences that they have not
 * chosen for a machine, recognised as commands are. Sentences with a word that has no pronunciation are left out.
 */
export class AmongOthers {
  private readonly bySet = new Map<string, string[]>();

  constructor(
    spoken: readonly Spoken[],
    private readonly lexicon: Lexicon,
    private readonly others: number,
  ) {
    for (const { set, text } of spoken) {
      const texts = this.bySet.get(set) ?? [];
      if (this.pronounceable(text) && !texts.includes(text)) texts.push(text);
      this.bySet.set(set, texts);
    }
  }

  pronounceable(text: string): boolean {
    return text !== '' && text.split(' ').every((word) => this.lexicon.lookup(word).length > 0);
  }

  grammar({ set, text }: Spoken, random: () => number): GrammarDetails {
    const rest = (this.bySet.get(set) ?? []).filter((t) => t !== text);
    // The first of a shuffle.
    for (let i = 0; i < Math.min(this.others, rest.length); i++) {
      const j = i + Math.floor(random() * (rest.length - i));
      [rest[i], rest[j]] = [rest[j] ?? '', rest[i] ?? ''];
    }
    return sentencesGrammar([text, ...rest.slice(0, this.others)], this.lexicon);
  }
}

export interface AmongCounts {
  said: number;
  right: number;
  rightAccepted: number;
  wrongAccepted: number;
}

export const noCounts = (): AmongCounts => ({
  said: 0,
  right: 0,
  rightAccepted: 0,
  wrongAccepted: 0,
});

export function count(counts: AmongCounts, heard: Heard, text: string): void {
  const said = verdict(heard, text);
  counts.said++;
  if (means(heard, text)) counts.right++;
  if (said === 'right') counts.rightAccepted++;
  if (said === 'wrong') counts.wrongAccepted++;
}
