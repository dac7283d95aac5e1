import type { Manifest } from '../../bundle/index.js';
import { compileGrammar, type GrammarDetails, type Lexicon } from '../../recognizer/index.js';
import { labelMeaning } from '../evaluate/labels.js';
import { cut, hearAgain, joined, type NetworkClip } from '../evaluate/network.js';
import { sameMeaning } from '../evaluate/score.js';
import type { Example } from './logistic.js';
import { mutated, NearWords } from './near.js';

/** A held-out clip after the network and what was said in it; '' is noise or anything to refuse. */
export interface SpokenClip {
  readonly text: string;
  readonly clip: NetworkClip;
}

export interface JudgedExample extends Example {
  readonly kind: Kind;
  /** The clip it came from. Fit and measurement must not share one. */
  readonly group: number;
}

/**
 * What a device hears, as shares. The confidence is a probability under this mixture.
 * - Half are commands, under grammars of a few sentences to millions.
 * - A fifth is noise: a device hears machines all day.
 * - The rest is near-misses, other speech and fragments.
 */
export const mixture = {
  few: 0.15,
  many: 0.15,
  optional: 0.1,
  nearWords: 0.1,
  nearMiss: 0.1,
  otherSpeech: 0.15,
  fragment: 0.05,
  noise: 0.2,
} as const;

export type Kind = keyof typeof mixture;

/** Kinds in which whatever is heard is wrong. */
export const nothingRight: readonly Kind[] = ['nearMiss', 'otherSpeech', 'fragment', 'noise'];

const alternatives = 9;
/** Share of the words inside a sentence that may be left out, and share of the words before which another may stand. */
const leftOutShare = 0.5;
const comesInShare = 0.3;
const positionsMax = 5;

type Lists = Readonly<Record<string, { readonly values: readonly string[] }>>;
interface Template {
  readonly sentence: string;
  readonly lists: Lists;
}

/** Grammars made for a clip from words and sentences that others said. */
export class GrammarMaker {
  private mutants = 0;

  constructor(
    private readonly texts: readonly string[],
    private readonly words: readonly string[],
    private readonly near: NearWords,
    private readonly lexicon: Lexicon,
    private readonly random: () => number,
  ) {}

  private pick<T>(from: readonly T[], otherwise: T): T {
    return from[Math.floor(this.random() * from.length)] ?? otherwise;
  }

  /** Each sentence means something else, and so does each word of a list. */
  compile(
    sentences: readonly string[],
    { lexicon = this.lexicon, lists = {} }: { lexicon?: Lexicon; lists?: Lists } = {},
  ): GrammarDetails {
    const source = JSON.stringify({
      intents: { said: { data: sentences.map((s) => ({ sentences: [s], slots: { text: s } })) } },
      lists,
    });
    return compileGrammar(source, { file: 'calibration', lexicon });
  }

  private others(count: number, except: string): string[] {
    return Array.from({ length: count }, () => this.pick(this.texts, 'zero')).filter(
      (t) => t !== except,
    );
  }

  /** The sentence among a few of others. */
  few(text: string): GrammarDetails {
    return this.compile([text, ...this.others(4 + Math.floor(40 * this.random()), text)]);
  }

  /** The sentence with other words offered at several places, as a site's lists do. */
  many(text: string): GrammarDetails {
    const { sentence, lists } = this.template(text);
    return this.compile([sentence, ...this.others(10, text)], { lists });
  }

  /**
   * The sentence with some words optional and other optional words added, as in "[please] turn [all] lights on".
   * Only this kind shows whether the blank penalty is right. Too heavy a blank loses words, too light a one adds some.
   */
  optional(text: string): GrammarDetails {
    const said = text.split(' ');
    const parts = said.map((word, i) => {
      const inside = i > 0 && i < said.length - 1;
      const own = inside && this.random() < leftOutShare ? `[${word}]` : word;
      return this.random() < comesInShare ? `[${this.pick(this.words, 'zero')}] ${own}` : own;
    });
    return this.compile([parts.join(' '), ...this.others(10, text)]);
  }

  private template(text: string, except: readonly string[] = []): Template {
    const said = text.split(' ');
    const chosen = new Set(
      said
        .map((_, i) => ({ i, key: this.random() }))
        .sort((a, b) => a.key - b.key)
        .slice(0, positionsMax)
        .map(({ i }) => i),
    );
    const offered = this.words.filter((w) => !except.includes(w));
    const lists: Record<string, { values: string[] }> = {};
    const words = said.map((word, i) => {
      if (!chosen.has(i)) return word;
      const more = Array.from({ length: alternatives }, () => this.pick(offered, 'zero'));
      lists[`word${i}`] = { values: [...new Set([word, ...more])] };
      return `{word${i}}`;
    });
    return { sentence: words.join(' '), lists };
  }

  /** The sentence with near-sounding words offered in place of one of its own, and that one too. */
  nearWords(text: string): GrammarDetails | undefined {
    const changed = this.replaced(text);
    return changed === undefined
      ? undefined
      : this.compile([text, ...changed.sentences, ...this.others(10, text)], changed);
  }

  /** Only the sentences with a near-sounding word: whatever is heard is wrong. */
  nearMiss(text: string): GrammarDetails | undefined {
    const changed = this.replaced(text);
    return changed === undefined
      ? undefined
      : this.compile([...changed.sentences, ...this.others(10, text)], changed);
  }

  private replaced(text: string): { sentences: string[]; lexicon: Lexicon } | undefined {
    const said = text.split(' ');
    const at = Math.floor(this.random() * said.length);
    const word = said[at] ?? '';
    const swap = (other: string) => said.map((w, i) => (i === at ? other : w)).join(' ');
    const near = this.near.of(word);
    if (near.length > 0 && this.random() < 0.7)
      return { sentences: near.slice(0, 3).map(swap), lexicon: this.lexicon };
    const phones = this.lexicon.lookup(word)[0]?.phones;
    if (phones === undefined || phones.length < 2) return undefined;
    const name = `${word.replace(/[^a-z]/g, '')}q${letters(this.mutants++)}`;
    const other = mutated(phones, this.lexicon.units, this.random);
    return {
      sentences: [swap(name)],
      lexicon: this.lexicon.withUserWords(new Map([[name, [other]]])),
    };
  }

  /** Sentences of others, without what was said. */
  otherSpeech(text: string): GrammarDetails {
    const base = this.pick(
      this.texts.filter((t) => t !== text),
      'zero',
    );
    const said = text.split(' ');
    if (this.random() >= 0.5) return this.compile([base, ...this.others(30, text)]);
    const { sentence, lists } = this.template(base, said);
    return this.compile([sentence, ...this.others(5, text), 'zero'], { lists });
  }
}

function letters(n: number): string {
  return n < 26 ? String.fromCharCode(97 + n) : letters(Math.floor(n / 26) - 1) + letters(n % 26);
}

/** Judges every clip under grammars of each kind. */
export async function makeExamples(
  manifest: Manifest,
  clips: readonly SpokenClip[],
  maker: GrammarMaker,
  random: () => number,
  progress: (line: string) => void,
): Promise<JudgedExample[]> {
  const judged: { kind: Kind; group: number; right: boolean; evidence: Example['evidence'] }[] = [];
  const hear = async (
    kind: Kind,
    group: number,
    clip: NetworkClip,
    text: string,
    grammar: GrammarDetails | undefined,
  ) => {
    if (grammar === undefined) return;
    const heard = await hearAgain(manifest, clip, grammar);
    // Nothing heard, or what is no command, is refused whatever the confidence.
    if (heard.intent === null) return;
    // By meaning, as the margin is: a missed optional word is no mistake.
    const wanted = nothingRight.includes(kind)
      ? undefined
      : labelMeaning({ file: '', text }, grammar);
    const right = wanted != null && sameMeaning(heard, wanted);
    judged.push({ kind, group, right, evidence: heard.evidence });
  };
  const spoken = clips.filter((c) => c.text !== '');
  for (const [group, { text, clip }] of clips.entries()) {
    if (group % 50 === 49) progress(`examples of ${group + 1} of ${clips.length} clips`);
    if (text === '') {
      await hear('noise', group, clip, text, maker.otherSpeech(''));
      continue;
    }
    await hear('few', group, clip, text, maker.few(text));
    await hear('many', group, clip, text, maker.many(text));
    await hear('optional', group, clip, text, maker.optional(text));
    await hear('nearWords', group, clip, text, maker.nearWords(text));
    await hear('nearMiss', group, clip, text, maker.nearMiss(text));
    await hear('otherSpeech', group, clip, text, maker.otherSpeech(text));
    const other = spoken[Math.floor(random() * spoken.length)];
    const piece =
      random() < 0.5 || other === undefined
        ? cut(clip, 0, Math.round(spokenSteps(clip) * (0.3 + 0.45 * random())))
        : joined(clip, other.clip);
    await hear('fragment', group, piece, text, maker.few(text));
  }
  return judged.map((e) => ({
    ...e,
    weight: mixture[e.kind] / judged.filter((o) => o.kind === e.kind).length,
  }));
}

/** Steps until the last phone. */
function spokenSteps({ logProbs, steps }: NetworkClip): number {
  const units = logProbs.length / Math.max(steps, 1);
  let last = 0;
  for (let t = 0; t < steps; t++) if ((logProbs[t * units] ?? 0) < Math.log(0.5)) last = t;
  return last + 1;
}

/** Clips whose every word has a pronunciation, and those without words. */
export function pronounceable(clips: readonly SpokenClip[], lexicon: Lexicon): SpokenClip[] {
  const known = (word: string) => lexicon.lookup(word).length > 0;
  return clips.filter(({ text }) => text === '' || text.split(' ').every(known));
}

export function makerOf(
  clips: readonly SpokenClip[],
  lexicon: Lexicon,
  random: () => number,
): GrammarMaker {
  const texts = [...new Set(clips.map((c) => c.text).filter((t) => t !== ''))];
  const words = [...new Set(texts.flatMap((t) => t.split(' ')))];
  return new GrammarMaker(texts, words, new NearWords(words, lexicon), lexicon, random);
}
