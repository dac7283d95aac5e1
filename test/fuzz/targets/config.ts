import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { changed, loadConfig, setsNothing, shownConfig } from '../../../src/config/index.js';
import { must, type Target } from '../engine/target.js';

const folder = mkdtempSync(join(tmpdir(), 'kikitori-fuzz-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const shipped = readFileSync(new URL('../../../config/default.yaml', import.meta.url), 'utf8');
/** Commented keys become keys. */
const whole = shipped.replace(/^# ?( *[a-zA-Z]+:)/gm, '$1');

/** What begins with { is JSON5, everything else YAML. */
export const target: Omit<Target, 'name'> = {
  right:
    'what is accepted has every key, is accepted again after a change made by program, and only that key differs',
  covers: [
    'src/config/',
    'src/runtime/text-file.ts',
    'src/runtime/listen-address.ts',
    'src/runtime/nearest.ts',
  ],
  text: true,
  bytesMax: 6000,
  words: [
    'null',
    'true',
    '~',
    '&a',
    '*a',
    '<<: *a',
    '!!str',
    '!!binary',
    '---',
    '...',
    '%YAML 1.1',
    '- ',
    '? ',
    '|',
    '>-',
    '"',
    '200ms',
    '1 h',
    '64 MB',
    'mqtt://u:p@host:1/',
  ],
  seeds: () => [
    ...pieces(shipped, 5000),
    ...pieces(whole, 5000),
    'publish:\n  mqtt:\n    url: mqtts://broker.example:8883 # ours\ncapture: {gainDb: 6, channels: 2, channel: 1}\n',
    '{publish: {mqtt: {url: "mqtt://a"}}, "recognizer": {"threads": 1}, // c\n}',
    'capture: &a\n  gainDb: 0x10\nrecognizer:\n  threads: 1\n',
  ],
  run: (input) => {
    const path = join(folder, `c${input[0] === 123 ? '.json5' : '.yaml'}`);
    writeFileSync(path, input);
    const config = loadConfig(path, {});
    must(typeof setsNothing(path) === 'boolean', 'neither');
    must(JSON.stringify(shownConfig(config)).length < 200_000, 'shown without end');
    if (path.endsWith('.json5')) return;
    const key = 'recognizer.minConfidence';
    const text = changed(input.toString('utf8'), { [key]: 0.61 }, path);
    writeFileSync(path, text);
    const after = loadConfig(path, {});
    must(after.recognizer.minConfidence === 0.61, 'the change is not there');
    const { minConfidence } = config.recognizer;
    const back = { ...after, recognizer: { ...after.recognizer, minConfidence } };
    must(JSON.stringify(back) === JSON.stringify(config), 'more than that key differs');
  },
};

/** Whole lines, so many bytes at most, each beginning where a section does. */
function pieces(text: string, bytes: number): string[] {
  const found: string[] = [];
  for (const section of text.split(/\n(?=[a-z#])/)) {
    const last = found.at(-1);
    if (last !== undefined && last.length + section.length < bytes)
      found[found.length - 1] = `${last}\n${section}`;
    else found.push(section);
  }
  return found.filter((p) => p.length < bytes);
}
