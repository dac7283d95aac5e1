import t from 'tap';
import { hearAgain } from '../../src/measure/evaluate/network.js';
import { Dictation, openSlotModel } from '../../src/recognizer/dictation/index.js';
import {
  afterWake,
  compileGrammar,
  findConfusable,
  GrammarError,
  wakePhrase,
  Listener,
  Recognizer,
} from '../../src/recognizer/index.js';
import { randomFrom } from '../../src/measure/evaluate/statistics.js';
import { openPhoneCost } from '../../src/recognizer/grammar/open-slot.js';
import { SlotSearches } from '../../src/recognizer/open-slots.js';
import { alignPhones } from '../../src/recognizer/search/align.js';
import { RestBound } from '../../src/recognizer/search/rest-bound.js';
import { runnersUp } from '../../src/recognizer/search/runners-up.js';
import { TokenSearch } from '../../src/recognizer/search/token-search.js';
import { clipOf, type Row } from '../sim/said-clip.js';
import { PlainLanguageModel } from '../sim/plain-language-model.js';
import { listenerManifest, spokenNetwork } from '../sim/spoken-network.js';
import { fullLexicon } from '../sim/tiny-checkpoint.js';

const lexicon = fullLexicon();
const words = ['milk', 'brown', 'bread', 'red', 'two', 'to', 'too', 'lamps', 'water', 'the'];
const all = ['<unk>', '<s>', '</s>', ...words];
const model = new PlainLanguageModel({
  order: 2,
  words: all,
  ln: new Map([...all.map((w): [string, number] => [w, -4]), ['brown bread', -0.5]]),
  backOff: new Map([['brown', -1]]),
});
const openSlots = openSlotModel(model, lexicon);

const compiled = (sentences: readonly string[], lists: object = { item: { wildcard: true } }) =>
  compileGrammar(JSON.stringify({ lists, intents: { Add: { data: [{ sentences }] } } }), {
    file: 'test',
    lexicon,
    openSlots: true,
  });

const quiet: readonly Row[] = Array.from({ length: 8 }, () => ({ 0: 0.95 }));
/** Each phone for two steps and a blank; "..." is a pause. */
const said = (text: string, p = 0.9): Row[] =>
  text
    .split(' ')
    .flatMap((word) =>
      word === '...'
        ? [...quiet]
        : (lexicon.lookup(word)[0]?.phones ?? []).flatMap((unit) => [
            { [unit]: p },
            { [unit]: p },
            { 0: 0.9 },
          ]),
    );
const manifest = {
  ...listenerManifest,
  confidence: { bias: 3, weights: { llrMean: 1, outside: -6 }, threshold: 0.5 },
};
const hear = (sentences: readonly string[], rows: readonly Row[], lists?: object) =>
  hearAgain(manifest, clipOf([...quiet, ...rows, ...quiet]), compiled(sentences, lists), {
    openSlots,
  });

const list = 'add {item} to my shopping list';

void t.test('any words between fixed ones', async (t) => {
  const heard = await hear([list], said('add brown bread to my shopping list'));
  t.match(heard, {
    accepted: true,
    text: 'add brown bread to my shopping list',
    intent: 'Add',
    slots: { item: 'brown bread' },
    said: { item: 'brown bread' },
  });
  t.strictSame(
    heard.words.map(({ word }) => word),
    'add brown bread to my shopping list'.split(' '),
  );
  const times = heard.words.flatMap(({ startMs, endMs }) => [startMs, endMs]);
  t.ok(
    heard.words.every(({ startMs }, i) => startMs >= (heard.words[i - 1]?.startMs ?? 0)),
    `in order: ${times.join()}`,
  );
  t.ok(heard.words.every(({ confidence }) => confidence > 0.5 && confidence <= 1));
  t.match(await hear([list], said('add red lamps to my shopping list')), {
    slots: { item: 'red lamps' },
  });
});

void t.test('a slot at the end, with a pause in it; and at the beginning', async (t) => {
  t.match(await hear(['note {dictation}'], said('note the red ... lamps')), {
    accepted: true,
    text: 'note the red lamps',
    slots: { dictation: 'the red lamps' },
  });
  t.match(await hear(['{item} is missing'], said('brown bread is missing')), {
    accepted: true,
    slots: { item: 'brown bread' },
  });
});

void t.test('two slots with fixed words between', async (t) => {
  const lists = { item: { wildcard: true }, place: { wildcard: true } };
  t.match(
    await hear(['put {item} behind {place}'], said('put brown bread behind red lamps'), lists),
    {
      accepted: true,
      text: 'put brown bread behind red lamps',
      slots: { item: 'brown bread', place: 'red lamps' },
    },
  );
});

void t.test('each slot has its confidence and its times, by its name', async (t) => {
  const lists = { item: { wildcard: true }, place: { wildcard: true } };
  const sentence = 'put {item} behind {place:where}';
  const heard = await hear([sentence], said('put red lamps behind red lamps'), lists);
  t.strictSame(heard.slots, { item: 'red lamps', where: 'red lamps' }, 'though they say the same');
  t.strictSame(Object.keys(heard.openSlots ?? {}), ['item', 'where']);
  const { item, where } = heard.openSlots ?? {};
  const [, first, second, , third, fourth] = heard.words;
  t.match(item, { startMs: first?.startMs, endMs: second?.endMs });
  t.match(where, { startMs: third?.startMs, endMs: fourth?.endMs });
  const mean = ((first?.confidence ?? 0) + (second?.confidence ?? 0)) / 2;
  t.ok(Math.abs((item?.confidence ?? 0) - mean) < 0.002, 'the mean of its words');
  t.ok(heard.confidence <= Math.min(item?.confidence ?? 0, where?.confidence ?? 0) + 0.001);
  t.equal((await hear(['stop', sentence], said('stop'), lists)).openSlots, undefined);
});

void t.test('a typed sentence means the same as a spoken one', (t) => {
  const lists = { item: { wildcard: true }, place: { wildcard: true } };
  const grammar = compiled(
    [list, 'put {item} behind {place}', 'add the usual', 'note {item}'],
    lists,
  );
  const meaning = (text: string) => grammar.understand(text);
  t.match(meaning('Add brown bread to my shopping list.'), {
    intent: 'Add',
    slots: { item: 'brown bread' },
    said: { item: 'brown bread' },
  });
  t.match(meaning('put 2 lamps behind the door'), {
    slots: { item: 'two lamps', place: 'the door' },
  });
  t.strictSame(meaning('add the usual')?.slots, {}, 'fixed words first');
  t.match(meaning('note behind behind'), { slots: { item: 'behind behind' } });
  t.match(meaning('put a behind b behind c'), { slots: { item: 'a', place: 'b behind c' } });
  for (const text of ['add to my shopping list', 'note', 'put behind it', 'add', 'stop'])
    t.equal(meaning(text), null, text);
  t.strictSame(
    grammar.read('note this'),
    ['note', '{}'].map((word) => grammar.graph.words.indexOf(word)),
  );
  t.notOk(grammar.pronunciations.has('{}'), 'any words have no sound of their own');
  const { pairs } = findConfusable(grammar, listenerManifest.units, { maxDistance: 100 });
  t.notOk(JSON.stringify(pairs).includes('{}'), 'people are not shown it');
  t.end();
});

void t.test('of a text that was searched before only what is new is', async (t) => {
  const random = randomFrom(7);
  const { units } = spokenNetwork;
  const scores = new Float32Array(120 * units).map(() => Math.log(random() ** 3 + 1e-4));
  const searches = new SlotSearches();
  let turns = 0;
  let counting = true;
  const count = () => {
    if (!counting) return;
    turns++;
    setImmediate(count);
  };
  setImmediate(count);
  for (const to of [60, 90, 90, 120]) {
    const beside = { context: model.begin };
    const again = await searches.search(openSlots, scores, units, { from: 5, to, ...beside });
    const fresh = new Dictation(openSlots.graph, undefined, undefined, beside);
    fresh.feed(scores.subarray(5 * units, to * units), units);
    t.strictSame(again, fresh.finish(), `up to ${to}`);
  }
  counting = false;
  t.ok(turns >= 9, `other work had its turn ${turns} times`);
  const shorter = await searches.search(openSlots, scores, units, { from: 5, to: 40 });
  const fresh = new Dictation(openSlots.graph);
  fresh.feed(scores.subarray(5 * units, 40 * units), units);
  t.strictSame(shorter, fresh.finish());
});

void t.test(
  'the language model begins after the words before, and goes on to those after',
  async (t) => {
    const near = new PlainLanguageModel({
      order: 2,
      words: [...all, 'add', 'behind'],
      ln: new Map(
        [...all, 'add', 'behind', 'add too', 'two behind'].map((w) => [
          w,
          w.includes(' ') ? -0.2 : -4,
        ]),
      ),
      backOff: new Map([
        ['add', -1],
        ['two', -1],
      ]),
    });
    const heardWith = async (sentence: string, text: string) => {
      const grammar = compiled([sentence]);
      const clip = clipOf([...quiet, ...said(text), ...quiet]);
      const slots = openSlotModel(near, lexicon);
      return (await hearAgain(manifest, clip, grammar, { openSlots: slots })).slots['item'];
    };
    t.equal(await heardWith('add {item} on monday', 'add two on monday'), 'too');
    t.equal(await heardWith('put {item} behind it', 'put two behind it'), 'two');
  },
);

void t.test('beside sentences without slots', async (t) => {
  const sentences = [list, 'clear my shopping list', 'note {dictation}'];
  t.match(await hear(sentences, said('clear my shopping list')), {
    accepted: true,
    text: 'clear my shopping list',
    slots: {},
  });
  t.match(await hear(sentences, said('note brown bread')), { slots: { dictation: 'brown bread' } });
  t.match(await hear(sentences, said('add milk to my shopping list')), { slots: { item: 'milk' } });
});

void t.test('nothing in the slot is no such command', async (t) => {
  for (const text of ['add to my shopping list', 'note'])
    t.equal((await hear([list, 'note {dictation}'], said(text))).accepted, false, text);
});

void t.test('noise in the slot is refused', async (t) => {
  const units = listenerManifest.units.length;
  let seed = 5;
  const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
  const noise: Row[] = Array.from({ length: 40 }, () =>
    Object.fromEntries(Array.from({ length: units }, (_, u) => [u, 0.01 + random() * 0.05])),
  );
  const heard = await hear([list], [...said('add'), ...noise, ...said('to my shopping list')]);
  t.match(heard, { accepted: false, reason: 'low-confidence' });
});

void t.test('more words than a slot may have are refused', async (t) => {
  const many = Array.from({ length: 13 }, () => 'milk').join(' ');
  t.match(await hear(['note {dictation}'], said(`note ${many}`)), {
    accepted: false,
    reason: 'too-long',
  });
});

void t.test('what cannot be found is refused with its place', (t) => {
  const faults = (...sentences: string[]) => {
    try {
      compiled(sentences, { a: { wildcard: true }, b: { wildcard: true } });
    } catch (error) {
      if (error instanceof GrammarError) return error.message;
    }
    return '';
  };
  t.match(faults('{a}'), /test:1:\d+: a sentence is any words and nothing else/);
  t.match(faults('put {a} {b}'), /two slots of any words stand side by side/);
  t.equal(faults('put {a} on {b}'), '');
  t.end();
});

void t.test('without a language model any words are left out as ever', (t) => {
  const source = JSON.stringify({
    lists: { item: { wildcard: true } },
    intents: { A: { data: [{ sentences: ['stop', 'add {item}'] }] } },
  });
  const plain = compileGrammar(source, { file: 'test', lexicon });
  t.match(plain.warnings[0]?.message, /\{item\} is a wildcard: any words would have to be heard/);
  t.equal(plain.graph.open, undefined);
  t.equal(plain.graph.arcCost, undefined);
  const only = JSON.stringify({ intents: { A: { data: [{ sentences: ['note {dictation}'] }] } } });
  t.throws(() => compileGrammar(only, { file: 'test', lexicon }), {
    message: /list \{dictation\} is not defined \(any words need a language model/,
  });
  const closed = JSON.stringify({ intents: { A: { data: [{ sentences: ['stop', 'go left'] }] } } });
  t.strictSame(
    compileGrammar(closed, { file: 'test', lexicon, openSlots: true }).graph,
    compileGrammar(closed, { file: 'test', lexicon }).graph,
    'a grammar without slots is the same, to the last bit',
  );
  t.end();
});

/** Steps of units as `spokenNetwork` hears them. */
const steps = (text: string) =>
  said(text).map((row) => (row[0] === undefined ? Number(Object.keys(row)[0]) : 0));
const still = (count: number) => Array.from({ length: count }, () => 0);

async function played(units: readonly number[], chunk: number) {
  const recognizer = new Recognizer(
    listenerManifest,
    spokenNetwork,
    compiled([list, 'note {dictation}']),
    {
      openSlots,
    },
  );
  const listener = new Listener(recognizer);
  const found = [];
  for (let at = 0; at < units.length; at += chunk) {
    const part = units.slice(at, at + chunk);
    const data = Float32Array.from(part.flatMap((u) => [u, 0]));
    const events = await listener.feed({ data, steps: part.length, dim: 2, firstStep: at });
    for (const event of events)
      if (event.type === 'heard') found.push({ ...event.heard, endedBy: at });
  }
  return found;
}

void t.test('a stream, whatever the chunks; a short pause does not end a slot', async (t) => {
  const units = [
    ...still(60),
    ...steps('note the red'),
    ...still(15),
    ...steps('lamps'),
    ...still(80),
    ...steps('add brown bread to my shopping list'),
    ...still(80),
  ];
  const whole = await played(units, 1);
  t.match(whole, [
    { accepted: true, text: 'note the red lamps', slots: { dictation: 'the red lamps' } },
    { accepted: true, slots: { item: 'brown bread' } },
  ]);
  const told = (all: typeof whole) => all.map(({ endedBy: _, ...heard }) => heard);
  for (const chunk of [2, 7, 50])
    t.strictSame(told(await played(units, chunk)), told(whole), `chunks of ${chunk} steps`);
});

void t.test('what the fixed words refuse is not searched', async (t) => {
  let asked = 0;
  const counting = Object.create(model) as PlainLanguageModel;
  counting.lnProbability = (context, word) => {
    asked++;
    return model.lnProbability(context, word);
  };
  const slots = openSlotModel(counting, lexicon);
  asked = 0;
  const clip = clipOf([...quiet, ...said('kitchen red blue machine water'), ...quiet]);
  const heard = await hearAgain(manifest, clip, compiled([list]), { openSlots: slots });
  t.equal(heard.accepted, false);
  t.equal(asked, 0);
});

void t.test('the loop of phones is exact: every string of phones tried one by one', (t) => {
  const random = randomFrom(28);
  const grammar = compiled(['a {item} the']);
  const count = listenerManifest.units.length;
  const ways = (word: string) => grammar.phonesOf(grammar.graph.words.indexOf(word));
  const some = [...new Set([...ways('a'), ...ways('the')].flat())].slice(0, 4);
  const strings: number[][] = [];
  const grow = (head: number[]) => {
    if (head.length >= 2) strings.push(head);
    if (head.length < 4) for (const unit of some) grow([...head, unit]);
  };
  grow([]);
  const frames = 7;
  let wrong = 0;
  for (let round = 0; round < 60; round++) {
    const scores = new Float32Array(frames * count).fill(-60);
    for (let at = 0; at < scores.length; at += count)
      for (const unit of [0, ...some]) scores[at + unit] = Math.log(random() ** 3 + 1e-4);
    let best = -Infinity;
    for (const head of ways('a'))
      for (const tail of ways('the'))
        for (const loop of strings) {
          const phones = [...head, ...loop, ...tail].map((unit) => ({ unit, word: 0 }));
          const { score } = alignPhones(phones, scores, count);
          best = Math.max(best, score - openPhoneCost * loop.length);
        }
    const search = new TokenSearch(grammar.graph);
    for (let at = 0; at < scores.length; at += count) search.feed(scores, at);
    const again = runnersUp(grammar.graph, scores, count, { window: 5, k: 4 });
    const all = [
      search.best()[0]?.score,
      again.candidates[0]?.score,
      new RestBound(grammar.graph, scores, count).best,
    ];
    if (best < -60) continue;
    if (all.some((score) => Math.abs((score ?? 0) - best) > 1e-3)) wrong++;
  }
  t.equal(wrong, 0);
  t.end();
});

void t.test('after a wake phrase', async (t) => {
  const woken = afterWake(compiled([list]), wakePhrase({ phrase: 'hey machine' }, lexicon));
  const rows = said('hey machine add brown bread to my shopping list');
  const heard = await hearAgain(manifest, clipOf([...quiet, ...rows, ...quiet]), woken, {
    openSlots,
  });
  t.match(heard, {
    accepted: true,
    text: 'add brown bread to my shopping list',
    slots: { item: 'brown bread' },
  });
});
