/** A command with any words in it, against any words at all: what is only talk is refused, however well a few words of it fit. */
import t from 'tap';
import { hearAgain } from '../../src/measure/evaluate/network.js';
import { phoneChain } from '../../src/measure/calibrate/phone-chain.js';
import { Dictation, openSlotModel } from '../../src/recognizer/dictation/index.js';
import { compileGrammar } from '../../src/recognizer/index.js';
import { commandProbability, commandProbabilityMin } from '../../src/recognizer/talk.js';
import { clipOf, type Row } from '../sim/said-clip.js';
import { PlainLanguageModel } from '../sim/plain-language-model.js';
import { listenerManifest } from '../sim/spoken-network.js';
import { fullLexicon } from '../sim/tiny-checkpoint.js';

const lexicon = fullLexicon();
const words = ['they', 'came', 'from', 'the', 'north', 'brown', 'bread', 'red', 'lamps', 'note'];
const all = ['<unk>', '<s>', '</s>', ...words];
/** Each word is as likely as any other. */
const model = new PlainLanguageModel({
  order: 1,
  words: all,
  ln: new Map(all.map((w): [string, number] => [w, -4])),
  backOff: new Map(),
});
const openSlots = openSlotModel(model, lexicon);
const chain = phoneChain(lexicon.pronunciations(), lexicon.units.length);
/** The fixed words alone are nearly always accepted. */
const manifest = {
  ...listenerManifest,
  confidence: { bias: 30, weights: { llrMean: 1 }, threshold: 0.5, chain },
};

const quiet: readonly Row[] = Array.from({ length: 8 }, () => ({ 0: 0.95 }));
const said = (text: string, p = 0.9): Row[] =>
  text
    .split(' ')
    .flatMap((word) =>
      (lexicon.lookup(word)[0]?.phones ?? []).flatMap((unit) => [
        { [unit]: p },
        { [unit]: p },
        { 0: 0.9 },
      ]),
    );
const compiled = (sentence: string) =>
  compileGrammar(
    JSON.stringify({
      lists: { item: { wildcard: true } },
      intents: { Do: { data: [{ sentences: [sentence] }] } },
    }),
    { file: 'test', lexicon, openSlots: true },
  );
const hear = (sentence: string, text: string, of: object = manifest) =>
  hearAgain(
    of as typeof manifest,
    clipOf([...quiet, ...said(text), ...quiet]),
    compiled(sentence),
    { openSlots },
  );

void t.test('a command is ahead by what the language model asks for its fixed words', async (t) => {
  const { language } = openSlots.graph.weights;
  for (const [sentence, text, fixed] of [
    ['note {item}', 'note red lamps', 1],
    ['they came from the {item}', 'they came from the north', 4],
    ['{item} came from the north', 'red lamps came from the north', 4],
    ['note {item} from the north', 'note brown bread from the north', 4],
  ] as const) {
    const heard = await hear(sentence, text);
    t.match(heard, { accepted: true, text }, text);
    // Both say the same words at the same times.
    const talk = heard.evidence['talk'] ?? NaN;
    t.ok(Math.abs(talk - language * 4 * fixed) < 0.5, `${sentence}: ${talk.toFixed(2)} nats`);
  }
});

void t.test('talk that sounds a little like the fixed words is no command', async (t) => {
  for (const [sentence, text] of [
    ['they cane front {item}', 'they came from the north'],
    ['{item} front the moth', 'brown bread from the north'],
    ['they cane {item} front the moth', 'they came red lamps from the north'],
  ] as const) {
    const heard = await hear(sentence, text);
    t.match(heard, { accepted: false, reason: 'not-a-command', intent: 'Do' }, sentence);
    t.ok((heard.evidence['talk'] ?? 0) < 0);
    t.ok(heard.confidence < commandProbabilityMin, 'it is as certain as its least certain part');
    const { chain: _, ...without } = manifest.confidence;
    const asBefore = await hear(sentence, text, { ...manifest, confidence: without });
    t.match(asBefore, { accepted: true }, 'a bundle without a phone chain is not asked');
    t.equal(asBefore.evidence['talk'], undefined);
  }
});

void t.test('the search of any words is narrow, and finds what a wide one does', async (t) => {
  const text = 'they came red lamps from the north';
  const heard = await hear('they came {item} from the north', text);
  const { logProbs } = clipOf([...quiet, ...said(text), ...quiet]);
  const wide = new Dictation(openSlots.graph, { beam: 200, tokensMax: 1e6, latticeBeam: 8 });
  wide.feed(logProbs, lexicon.units.length);
  t.equal(
    wide
      .finish()
      .words.map((w) => w.text)
      .join(' '),
    text,
  );
  t.match(heard, { accepted: true });
});

void t.test('each part of the evidence speaks for the command', async (t) => {
  t.ok(commandProbability({ talk: 20, lead: 20 }) > 0.95);
  t.ok(commandProbability({ talk: -10, lead: 5 }) < 0.05);
  for (let x = -20; x < 20; x++) {
    t.ok(commandProbability({ talk: x + 1, lead: 3 }) > commandProbability({ talk: x, lead: 3 }));
    t.ok(commandProbability({ talk: 3, lead: x + 1 }) > commandProbability({ talk: 3, lead: x }));
  }
});
