import {
  placeInWords,
  type Fault,
  type Loss,
  type ParsedGrammar,
  type Scope,
  type Sentence,
  type Tree,
} from './tree.js';

interface Lost {
  readonly loss: Loss;
  readonly details: Set<string>;
  readonly sentences: Sentence[];
  readonly partly: Set<Sentence>;
  readonly intents: Set<string>;
}

/**
 * The grammar without sentences that can never be said: every way to say them needs an empty list, or a context that nothing
 * gives. There is one remark for each reason. It counts the sentences and names the intents that have none left.
 */
export function withoutLost(grammar: ParsedGrammar): ParsedGrammar {
  const lost = new Map<string, Lost>();
  const of = (loss: Loss): Lost => {
    const known = lost.get(loss.why) ?? {
      loss,
      details: new Set(),
      sentences: [],
      partly: new Set(),
      intents: new Set(),
    };
    lost.set(loss.why, known);
    if (loss.detail !== undefined) known.details.add(loss.detail);
    return known;
  };
  const intents = grammar.intents.map((intent) => {
    const reasons = new Set<Loss>();
    const sentences = intent.sentences.filter((sentence) => {
      const search = new Unsayable(sentence.scope);
      const found = sentence.never ?? search.reason(sentence.tree);
      if (found === null) {
        for (const loss of search.met) of(loss).partly.add(sentence);
        return true;
      }
      of(found).sentences.push(sentence);
      reasons.add(found);
      return false;
    });
    if (sentences.length === 0) for (const loss of reasons) of(loss).intents.add(intent.name);
    return { ...intent, sentences };
  });
  if (lost.size === 0) return grammar;
  return { ...grammar, intents, lost: [...lost.values()].map(told) };
}

function told({ loss, details, sentences, partly, intents }: Lost): Fault {
  const first = sentences[0]?.at ?? [...partly][0]?.at;
  const counted = [
    ...(sentences.length === 0 ? [] : [count(sentences.length, 'sentence')]),
    ...(partly.size === 0 ? [] : [`parts of ${count(partly.size, 'sentence')}`]),
  ].join(' and ');
  const where = first === undefined ? '' : ` (the first: ${placeInWords(first)})`;
  const which = details.size === 0 ? '' : ` (${[...details].join('; ')})`;
  const none = intents.size === 0 ? '' : `; nothing is left of ${[...intents].join(', ')}`;
  return {
    ...loss.at,
    message: `left out: ${counted}${where}, because ${loss.why}${which}${none}`,
  };
}

const count = (n: number, what: string) => `${n} ${what}${n === 1 ? '' : 's'}`;

/** Which empty lists keep a sentence from being said. */
class Unsayable {
  /** Every loss that was met, also where there was a way around it. */
  readonly met = new Set<Loss>();
  private readonly rules = new Map<string, Loss | null>();

  constructor(private readonly scope: Scope) {}

  /** Why no way through the tree can be said; null when one can. */
  reason(tree: Tree): Loss | null {
    switch (tree.kind) {
      case 'list':
        return this.list(tree.list, tree.values?.length);
      case 'rule': {
        const known = this.rules.get(tree.rule);
        if (known !== undefined) return known;
        // Circles are faults and are told elsewhere.
        this.rules.set(tree.rule, null);
        const body = this.scope.rules.get(tree.rule);
        const found = body === undefined ? null : this.reason(body);
        this.rules.set(tree.rule, found);
        return found;
      }
      case 'slot':
        return this.reason(tree.item);
      case 'choice': {
        const reasons = tree.items.map((item) => this.reason(item));
        return reasons.includes(null) ? null : (reasons[0] ?? null);
      }
      case 'sequence':
      case 'permutation':
        return tree.items.map((item) => this.reason(item)).find((r) => r !== null) ?? null;
      default:
        return null;
    }
  }

  private list(name: string, inline: number | undefined): Loss | null {
    const values = inline ?? this.scope.lists.get(name)?.length;
    const loss = values === 0 ? this.scope.losses.get(name) : undefined;
    if (loss === undefined) return null;
    this.met.add(loss);
    return loss;
  }
}
