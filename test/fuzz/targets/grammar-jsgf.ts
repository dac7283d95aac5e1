import { compileGrammar } from '../../../src/recognizer/grammar/index.js';
import { tinyLexicon } from '../../sim/lexicons.js';
import type { Target } from '../engine/target.js';
import { checkGrammar } from './grammar-yaml.js';

const lexicon = tinyLexicon();

export const target: Omit<Target, 'name'> = {
  right: 'the same as of YAML: what can be said is understood',
  covers: [
    'src/recognizer/grammar/jsgf.ts',
    'src/recognizer/grammar/jsgf-lexer.ts',
    'src/recognizer/grammar/jsgf-tag.ts',
    'src/recognizer/grammar/nfa.ts',
    'src/recognizer/grammar/compile.ts',
  ],
  text: true,
  bytesMax: 2000,
  where: 'site.gram',
  processorMsMax: 4000,
  words: [
    ...[
      'public ',
      '<a>',
      '<b> = ',
      ' | ',
      ';',
      '/2.5/',
      '{x=1}',
      '{tag}',
      '"on"',
      '// ',
      '/*',
      '*/',
      '<NULL>',
      '<VOID>',
    ],
    ...[
      '#JSGF V1.0 UTF-8 en;',
      'grammar g;',
      'import <x.y>;',
      '[ ',
      ' ]',
      '( ',
      ' )',
      '*',
      '+',
      'turn',
      '5 kg',
      '\\',
    ],
  ],
  seeds: () => [
    '#JSGF V1.0;\ngrammar g;\npublic <light> = turn (on {state=true} | off {state=false}) [the] <name> {name};\n<name> = kitchen light | "hall";\n',
    '#JSGF V1.0 UTF-8 en;\ngrammar com.acme.robot;\n/** doc */\npublic <stop> = /10/ stop | /0.1/ call supervisor {x} // end\n ;\npublic <set> = set speed to (5 | ten) {v=5} percent;\n',
    '#JSGF V1.0;\ngrammar g;\npublic <a> = <b> <b> | <NULL> one;\n<b> = [two {t}] "three" {k="v w"};\n',
  ],
  run: (input) => {
    checkGrammar(
      compileGrammar(input.toString('utf8'), { file: 'site.gram', lexicon, phonesMax: 20_000 }),
    );
  },
};
