import { writeFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readHouse } from '../../../src/cli/grammar/house/source.js';
import { houseLists } from '../../../src/cli/grammar/house/house.js';
import { compileGrammar } from '../../../src/recognizer/grammar/index.js';
import { tinyLexicon } from '../../sim/lexicons.js';
import { mutateJson } from '../engine/mutate-json.js';
import { must, type Target } from '../engine/target.js';

const folder = mkdtempSync(join(tmpdir(), 'kikitori-fuzz-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const path = join(folder, 'house.json');
const lexicon = tinyLexicon();

/** What Home Assistant says of a house: its states, a registry, or discovery messages. */
export const target: Omit<Target, 'name'> = {
  right: 'the lists made of it are a grammar that compiles, whatever the names are',
  covers: ['src/cli/grammar/house/'],
  text: true,
  where: 'house.json',
  processorMsMax: 3000,
  seeds: () => [
    JSON.stringify([
      {
        entity_id: 'light.kitchen',
        state: 'on',
        attributes: { friendly_name: 'Kitchen light', device_class: 'light' },
      },
      {
        entity_id: 'cover.hall',
        name: 'Hall [door]',
        area: 'Hall',
        floor: 'one',
        aliases: ['big door', '{x}'],
      },
    ]),
    JSON.stringify({
      key: 'core.entity_registry',
      data: {
        entities: [
          {
            entity_id: 'light.a',
            name: 'a (b|c)',
            area_id: 'x',
            aliases: ['red light'],
            options: { conversation: { should_expose: true } },
          },
        ],
      },
    }),
    'homeassistant/device/board/config {"dev":{"name":"kitchen","sa":"Hall"},"cmps":{"a":{"p":"light","name":"light <one>","unique_id":"u"}}}\nhomeassistant/switch/x/config {"name":"slow switch","device_class":"switch"}\n',
  ],
  mutate: (input, random, other) => {
    const at = input[0] === 91 || input[0] === 123 ? 0 : input.indexOf(123);
    return Buffer.concat([input.subarray(0, at), mutateJson(input.subarray(at), random, other)]);
  },
  run: async (input) => {
    writeFileSync(path, input);
    const house = await readHouse([path], { prefix: 'homeassistant', all: true });
    const { yaml, names } = houseLists(house, {
      pronounceable: (text) =>
        /^[a-z' -]+$/i.test(text) &&
        text.split(' ').every((w) => lexicon.lookup(w.toLowerCase()).length > 0),
    });
    if (names === 0) return;
    const grammar = compileGrammar(
      `${yaml}\nintents: {A: {data: [{sentences: ["turn on {name}"]}]}}\n`,
      {
        file: 'made.yaml',
        lexicon,
      },
    );
    must(grammar.sentences >= 1, 'no sentence');
  },
};
