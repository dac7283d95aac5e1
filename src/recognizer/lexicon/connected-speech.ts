import type { Pronunciation } from './lexicon.js';
import { isVowel } from './phone-distance.js';
import { weakForms } from './weak-forms.js';

/**
 * How words sound in a sentence. A dictionary has careful speech. In connected speech sounds are dropped, merged and
 * devoiced, and the network writes what it hears.
 *
 * The rules are the textbooks' (Ladefoged and Johnson, "A Course in Phonetics"; Wells, "Accents of English"; for
 * recognisers Cohen, "Phonological structures for speech recognition", 1989). The lexicon has no stress, so they make
 * some forms that nobody says. What each is worth: docs/adr/0035-connected-speech.md.
 */
interface Rule {
  readonly name: string;
  /** The change at phone `at`; undefined where the rule does not apply. */
  readonly change: (phones: readonly string[], at: number) => Change | undefined;
}

/** `take` phones are replaced by others. */
interface Change {
  readonly by: readonly string[];
  readonly take: number;
}

/** The end of a word is neither. */
const isConsonant = (phone = '') => phone !== '' && !isVowel(phone);
const isOne = (phone: string | undefined, ...of: string[]) =>
  phone !== undefined && of.includes(phone);

const voiceless: Readonly<Record<string, string>> = { Z: 'S', V: 'F', JH: 'CH' };

const rules: readonly Rule[] = [
  {
    // "triple" as T ER P AH L: between consonants R and a short vowel are one sound.
    name: 'r-colouring',
    change: (p, i) =>
      p[i] === 'R' &&
      isConsonant(p[i - 1]) &&
      isOne(p[i + 1], 'IH', 'AH', 'UH') &&
      isConsonant(p[i + 2])
        ? { by: ['ER'], take: 2 }
        : undefined,
  },
  {
    name: 'affrication',
    change: (p, i) =>
      p[i + 1] === 'R' && isOne(p[i], 'T', 'D')
        ? { by: [p[i] === 'T' ? 'CH' : 'JH'], take: 1 }
        : undefined,
  },
  {
    // A word's only vowel is a stressed one.
    name: 'weak vowel',
    change: (p, i) =>
      p[i] === 'IH' && p.filter(isVowel).length > 1 ? { by: ['AH'], take: 1 } : undefined,
  },
  {
    // "roast", "counts" and "gently" without their T.
    name: 'cluster reduction',
    change: (p, i) => {
      if (!isOne(p[i], 'T', 'D') || !isConsonant(p[i - 1])) return undefined;
      const last = i === p.length - 1 && p.length > 2;
      const beforeS = i === p.length - 2 && isOne(p[i + 1], 'S', 'Z');
      const afterN = p[i - 1] === 'N' && i < p.length - 1;
      return last || beforeS || afterN ? { by: [], take: 1 } : undefined;
    },
  },
  {
    name: 'tapping',
    change: (p, i) =>
      p[i] === 'T' && isVowel(p[i - 1] ?? '') && isVowel(p[i + 1] ?? '')
        ? { by: ['D'], take: 1 }
        : undefined,
  },
  {
    name: 'syllabic consonant',
    change: (p, i) =>
      i > 0 && p[i] === 'AH' && isOne(p[i + 1], 'L', 'N')
        ? { by: [p[i + 1] ?? ''], take: 2 }
        : undefined,
  },
  {
    name: 'devoicing',
    change: (p, i) => {
      const by = voiceless[p[i] ?? ''];
      return by !== undefined && i > 0 && i === p.length - 1 ? { by: [by], take: 1 } : undefined;
    },
  },
  {
    name: 'stopping',
    change: (p, i) => (p[i] === 'DH' ? { by: ['D'], take: 1 } : undefined),
  },
  {
    name: 'low back merger',
    change: (p, i) => (p[i] === 'AO' && p[i + 1] !== 'R' ? { by: ['AA'], take: 1 } : undefined),
  },
  {
    name: 'l-vocalisation',
    change: (p, i) =>
      i > 0 && i === p.length - 2 && p[i] === 'AH' && p[i + 1] === 'L'
        ? { by: ['OW'], take: 2 }
        : undefined,
  },
];

/** Forms beside those of the lexicon, for each word. */
const formsMax = 8;

/**
 * Pronunciation variants of a word beyond `listed`, each with the rules that made it. At most formsMax, fewest changes
 * first. `units` are the manifest's. A word spelled letter by letter has none: it is said with care.
 */
export function connectedForms(
  word: string,
  listed: readonly Pronunciation[],
  units: readonly string[],
): Pronunciation[] {
  const known = new Map<string, Spoken>();
  const keep = (form: Spoken) => {
    const key = form.phones.join(' ');
    if (!known.has(key)) known.set(key, form);
  };
  for (const { phones, source } of listed)
    keep({ phones: phones.map((id) => units[id] ?? ''), source, by: [] });
  const listedCount = known.size;
  // What a site says of its own word goes before what is usual.
  if (listed[0]?.source === 'dictionary')
    // The word may be "constructor".
    for (const phones of Object.hasOwn(weakForms, word) ? (weakForms[word] ?? []) : [])
      keep({ phones: phones.split(' '), source: 'dictionary', by: ['weak form'] });
  // Those with the fewest changes first. Each rule goes on from what those before it made.
  let last = [...known.values()]
    .filter(({ source }) => source !== 'spelled')
    .map((form) => ({ form, next: 0 }));
  while (last.length > 0 && known.size < listedCount + formsMax) {
    last = last.flatMap(({ form, next }) =>
      rules
        .slice(next)
        .flatMap((rule, i) => changedBy(rule, form).map((f) => ({ form: f, next: next + i + 1 }))),
    );
    for (const { form } of last) if (known.size < listedCount + formsMax) keep(form);
  }
  return [...known.values()]
    .slice(listedCount)
    .map(({ phones, source, by }) => ({
      phones: phones.map((name) => units.indexOf(name)),
      source,
      form: by.join(', '),
    }))
    .filter(({ phones }) => phones.every((id) => id > 0));
}

interface Spoken {
  readonly phones: readonly string[];
  readonly source: Pronunciation['source'];
  readonly by: readonly string[];
}

/** The form with the rule applied at each place where it applies, one at a time. */
function changedBy({ name, change }: Rule, { phones, source, by }: Spoken): Spoken[] {
  return phones.flatMap((_, at) => {
    const changed = change(phones, at);
    if (changed === undefined) return [];
    const said = [...phones.slice(0, at), ...changed.by, ...phones.slice(at + changed.take)];
    return said.length === 0 ? [] : [{ phones: said, source, by: [...by, name] }];
  });
}
