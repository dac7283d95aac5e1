import {
  compileGrammar,
  sampleSentence,
  type GrammarDetails,
} from '../../../src/recognizer/grammar/index.js';
import { enumerateSentences } from '../../../src/recognizer/grammar/index.js';
import { tinyLexicon } from '../../sim/lexicons.js';
import { Random } from '../engine/random.js';
import { must, type Target } from '../engine/target.js';

const lexicon = tinyLexicon();

const house = `language: en
intents:
  SetLight:
    minConfidence: 0.5
    data:
      - sentences:
          - "turn {state} [the] {name} [please]"
          - "(set|turn) <light> to {percent} percent"
          - "{name};{state}"
        slots: {kind: light}
        requires_context: {domain: light}
  Stop:
    confirm: true
    data: [{sentences: ["stop[ped] [the] (conveyor|machine a)"]}]
expansion_rules:
  light: "[the] light[s]"
lists:
  state: {values: [{in: "on", out: true}, "off"]}
  name: {values: [{in: kitchen light, out: k, context: {domain: light}}, "hall"]}
  percent: {range: {from: 0, to: 100, step: 10, type: percentage}}
skip_words: [please, "the"]
`;

/** Of every grammar: what it can say, it also understands. Used by JSGF too. */
export function checkGrammar(grammar: GrammarDetails): void {
  const random = new Random(1);
  must(grammar.sentences > 0, 'no sentence, and accepted');
  for (let i = 0; i < 8; i++) {
    const ids = sampleSentence(grammar, () => random.below(1000) / 1000);
    const text = ids.map((id) => grammar.graph.words[id]).join(' ');
    const { intent, slots } = grammar.interpret(ids);
    must(
      grammar.intents.includes(intent),
      `"${text}" means the intent ${intent}, which there is not`,
    );
    for (const [name, value] of Object.entries(slots)) {
      must(grammar.slots.has(name), `"${text}" fills the slot ${name}, which is not told`);
      must(
        ['string', 'number', 'boolean'].includes(typeof value),
        `"${text}": ${name} is ${typeof value}`,
      );
    }
    const read = grammar.read(text);
    must(read !== null, `"${text}" can be said, and is not read`);
  }
  if (grammar.sentences > 500) return;
  const all = [...enumerateSentences(grammar, 1000)];
  must(all.length === grammar.sentences, `${all.length} sentences, counted ${grammar.sentences}`);
}

export const target: Omit<Target, 'name'> = {
  right:
    'what can be said is understood: intent and slots that there are, read back from text; sentences counted right',
  covers: ['src/recognizer/grammar/'],
  text: true,
  bytesMax: 3000,
  where: 'site.yaml',
  processorMsMax: 4000,
  words: [
    ...[
      '{percent}',
      '{name}',
      '{state}',
      '<light>',
      '[the]',
      '(on|off)',
      '(a;b)',
      '{slot:name}',
      '{name:other}',
    ],
    ...[
      'requires_context:',
      'excludes_context:',
      'in:',
      'out:',
      'range:',
      'from:',
      'to:',
      'step:',
      'values:',
    ],
    ...[
      'type: temperature',
      'fractions: halves',
      'wildcard: true',
      '&a',
      '*a',
      '!!map',
      '<<: *a',
      '- ',
      '? ',
      '|',
      '>',
    ],
    ...[
      '{0..100}',
      '5 kg',
      '20 %',
      '1/2',
      '3:15',
      '2.5',
      'PLC 12',
      'turn',
      'on',
      'light',
      '°C',
      '£5',
      '1st',
    ],
  ],
  seeds: () => [
    house,
    'intents: {A: {data: [{sentences: ["start 5 kg", "PLC 12 at 3:15", "turn 2.5 °C", "£5 (a|b) [c]"]}]}}\n',
    'intents:\n  A: {data: &d [{sentences: ["turn on {light}"]}]}\n  B: {data: *d}\nlists:\n  light: {values: [one, "two three", {in: "(red|blue) light", out: 3}]}\n',
    'intents: {A: {data: [{sentences: ["set {n} and {m}"], excludes_context: {x: [1, 2]}}]}}\nlists: {n: {range: {from: -5, to: 5}}, m: {range: {from: 0, to: 1, fractions: tenths}}}\n',
  ],
  run: (input) => {
    const source = input.toString('utf8');
    checkGrammar(compileGrammar(source, { file: 'site.yaml', lexicon, phonesMax: 20_000 }));
  },
};
