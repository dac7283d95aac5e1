/** What an operator sees when something is wrong: the command line in this process, its text and its status. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { encodeWav } from '../../src/audio/index.js';
import { main } from '../../src/cli/main.js';
import { speak, toneBundle } from '../sim/tone-model.js';

const { path: model, folder: modelFolder } = await toneBundle();
const folder = await mkdtemp(join(tmpdir(), 'kikitori-cli-'));
t.teardown(async () => {
  await rm(modelFolder, { recursive: true, force: true });
  await rm(folder, { recursive: true, force: true });
});
const file = async (name: string, content: string | Uint8Array) => {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
};

async function cli(...argv: string[]) {
  let [stdout, stderr] = ['', ''];
  const status = await main(argv, {
    stdout: { write: (text: string) => (stdout += text) },
    stderr: { write: (text: string) => (stderr += text) },
    env: {},
  });
  return { status, stdout, stderr };
}

const sentences = await file(
  'sentences.yaml',
  'intents:\n  Stop: {data: [{sentences: ["stop conveyor {n}"]}]}\nlists:\n  n: {values: [{in: one, out: 1}, {in: two, out: 2}]}\n',
);

void t.test(
  'transcribe: the contract of --json; bad files are said and the others heard',
  async (t) => {
    const said = await file(
      'said.wav',
      encodeWav(speak('stop conveyor two', { beforeMs: 300, afterMs: 300 }), 16000),
    );
    const slow = await file('slow.wav', encodeWav(new Float32Array(4000), 8000));
    const text = await file('text.wav', 'stop conveyor two');
    const { status, stdout, stderr } = await cli(
      'transcribe',
      '--model',
      model,
      '--grammar',
      sentences,
      '--json',
      text,
      said,
      slow,
    );
    t.equal(status, 1);
    t.match(stderr, /text\.wav: this is no WAV file.*is made one with: sox/);
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    t.match(lines, [
      {
        file: said,
        text: 'stop conveyor two',
        accepted: true,
        intent: 'Stop',
        slots: { n: 2 },
        reason: null,
      },
      { file: slow, accepted: false, intent: null, reason: 'noise' },
    ]);
    t.same(Object.keys(lines[0] ?? {}), [
      'file',
      'text',
      'accepted',
      'intent',
      'slots',
      'confidence',
      'startMs',
      'endMs',
      'words',
      'reason',
    ]);
    t.equal((await cli('transcribe', '--model', model, '--grammar', sentences, said)).status, 0);
  },
);

void t.test('wrong usage is 2, a failure is 1, and each says what to do', async (t) => {
  for (const [argv, status, expected] of [
    [['transcribe', '--model', model, '--grammar', sentences], 2, /no files were given; usage/],
    [['transcribe', '--nonsense', 'x.wav'], 2, /nonsense.*usage/s],
    [['transcribe', '--model', join(folder, 'none'), 'x.wav'], 1, /there is no such bundle/],
    [
      ['transcribe', '--model', model, '--grammar', join(folder, 'none.yaml'), 'x.wav'],
      1,
      /none\.yaml: there is no such file/,
    ],
    [['model', 'inspect', sentences], 1, /tar|no manifest/],
    [['run', '--config', join(folder, 'none.json')], 2, /none\.json/],
    [['grammar', 'dance'], 2, /unknown: grammar dance|no such|models/],
    [['listen', '--config', join(folder, 'none.json')], 2, /none\.json/],
    [['fly'], 2, /unknown command "fly"/],
  ] as const) {
    const result = await cli(...argv);
    t.equal(result.status, status, argv.join(' '));
    t.match(result.stderr, expected);
    t.notMatch(result.stderr, /\n {4}at /, 'no stack');
  }
  const inspected = await cli('model', 'inspect', '--json', model);
  t.equal(inspected.status, 0);
  t.match(JSON.parse(inspected.stdout), { name: 'tiny', format: 1 });
});

void t.test(
  'the daemon does not start with a model, grammar or configuration that is wrong',
  async (t) => {
    const grammar = await file('bad.yaml', 'intents: {A: {data: [{sentences: ["go {where}"]}]}}');
    const config = async (value: unknown) => file('config.json', JSON.stringify(value));
    const state = { dir: join(folder, 'state') };
    const start = async (value: unknown) => cli('run', '--config', await config(value));
    const badGrammar = await start({ model: { path: model }, grammar: { path: grammar }, state });
    t.equal(badGrammar.status, 1);
    t.match(badGrammar.stderr, /bad\.yaml:1:\d+: list \{where\} is not defined/);
    const badModel = await start({ model: { path: folder }, grammar: { path: sentences }, state });
    t.equal(badModel.status, 1);
    t.match(badModel.stderr, /no manifest\.json/);
    const badConfig = await start({ capture: { recorder: 'tape', gainDb: 'loud' }, nonsense: 1 });
    t.equal(badConfig.status, 2);
    t.match(badConfig.stderr, /3 fault/);
  },
);

void t.test('grammars that would never end', async (t) => {
  const check = async (name: string, source: string) => {
    const path = await file(name, source);
    const [began, memory] = [performance.now(), process.memoryUsage.rss()];
    const result = await cli('grammar', 'check', '--model', model, path);
    t.ok(process.memoryUsage.rss() - memory < 700e6, `${name}: memory`);
    return { ...result, seconds: (performance.now() - began) / 1000, path };
  };
  const choice = (n: number) =>
    `(${Array.from({ length: n }, (_, i) => ['red', 'blue', 'go', 'left', 'stop', 'open', 'door', 'slow', 'fast', 'big'][i]).join('|')})`;
  const one = (sentence: string, rest = '') =>
    `intents:\n  A:\n    data:\n      - sentences: [${JSON.stringify(sentence)}]\n${rest}`;
  for (const [name, source, expected] of [
    [
      'loop.yaml',
      one('go <a>', 'expansion_rules:\n  a: "left <b>"\n  b: "right <a>"\n'),
      /loop\.yaml:\d+:\d+: the rules go round in a circle: <a> -> <b> -> <a>/,
    ],
    ['self.yaml', one('go <a>', 'expansion_rules: {a: "<a>"}\n'), /circle: <a> -> <a>/],
    [
      'undefined.yaml',
      one('go {where} <how>'),
      /undefined\.yaml:4:25: list \{where\}.*\n.*4:33: rule <how> is not defined/,
    ],
    ['not.yaml', 'intents: [unclosed\n  - {', /not\.yaml:\d+:\d+: /],
    ['binary.yaml', '\u0000\u0001\u0002', /binary\.yaml:1:1: /],
    ['list.yaml', '- a\n- b\n', /list\.yaml:1:1: this is no file of sentences/],
    ['nothing.yaml', '', /nothing\.yaml:1:1: /],
    ['empty.yaml', one('[go] [left]'), /a sentence may be empty/],
    [
      'permutation.yaml',
      one('(go; left; right; red; blue; stop; open; door)'),
      /permutation of 8 parts; at most/,
    ],
    ['deep.yaml', one(`${'['.repeat(5000)}go${']'.repeat(5000)}`), /deep\.yaml:4:\d+: /],
    ['deep-nodes.yaml', `intents: ${'['.repeat(20_000)}`, /deep-nodes\.yaml:\d+:\d+: /],
    [
      'aliases.yaml',
      `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghij'
        .split('')
        .map(
          (c, i) =>
            `${c}: &${c} [${Array(9)
              .fill(`*${'abcdefghij'[i] ?? 'a'}`)
              .join()}]`,
        )
        .join('\n')}\nintents: *j\n`,
      /aliases\.yaml:\d+:\d+: /,
    ],
    [
      'loop.jsgf',
      '#JSGF V1.0;\ngrammar x;\npublic <a> = go <b>;\n<b> = left <a>;\n',
      /loop\.jsgf:\d+:\d+: the rules go round in a circle/,
    ],
  ] as const) {
    const { status, stderr, seconds } = await check(name, source);
    t.equal(status, 1, name);
    t.match(stderr, expected, `${name} in ${seconds.toFixed(1)} s`);
    t.notMatch(stderr, /\n {4}at |RangeError|call stack/, `${name}: no stack`);
  }
  // A billion sentences are no fault: they share their parts, and are counted, not listed.
  const billion = await check('billion.yaml', one(Array(9).fill(choice(10)).join(' ')));
  t.equal(billion.status, 0, billion.stderr);
  t.match(billion.stdout, /1,000,000,000 sentences/);
  const range = one('go {n}', 'lists: {n: {range: {from: 0, to: 900000000}}}\n');
  t.match(await check('range.yaml', range), { status: 0, stdout: /sentences/ });
  // But an automaton that must remember which of many parts were said grows beyond bounds.
  const parts =
    'red blue go left stop open door slow fast big small turn on off the light hall call a b'.split(
      ' ',
    );
  const explosive = await check(
    'explosive.yaml',
    one(
      `${parts.map((w) => `[${w}]`).join(' ')} stop (go|left|${parts
        .map((w) => `[${w}]`)
        .reverse()
        .join(' ')})`,
    ),
  );
  t.ok(
    explosive.status === 0 || /need more than \d+/.test(explosive.stderr),
    explosive.stderr.slice(0, 200),
  );
});

void t.test(
  'files that are not UTF-8 are refused with their place, by every command',
  async (t) => {
    const latin1 = (text: string) => Buffer.from(text, 'latin1');
    const utf16 = (text: string) => Buffer.from(`\uFEFF${text}`, 'utf16le');
    const jsgf = '#JSGF V1.0;\ngrammar g;\npublic <c> = caf\xe9 | stop;\n';
    const yaml = 'intents:\n  A: {data: [{sentences: ["stop"]}]}\n# caf\xe9\n';
    const words = 'stop: S T AA P\n# caf\xe9\n';
    const labels = 'file\ttext\na.wav\tcaf\xe9\n';
    const config = 'device:\n  # caf\xe9\n  id: x\n';
    for (const [name, text, line, ...argv] of [
      ['cafe.gram', jsgf, 3, 'grammar', 'check', '--model', model],
      ['cafe.yaml', yaml, 3, 'grammar', 'check', '--model', model],
      ['words.txt', words, 2, 'grammar', 'say', '--word', 'x', '--model', model, '--words'],
      [
        'labels.tsv',
        labels,
        2,
        'evaluate',
        '--model',
        model,
        '--grammar',
        sentences,
        folder,
        '--labels',
      ],
      ['config.yaml', config, 2, 'config', 'check'],
    ] as const) {
      const eight = await file(name, latin1(text));
      const first = await cli(...argv, eight);
      t.match(
        first.stderr,
        new RegExp(`${name}:${line}:\\d+: byte \\d+.* is no UTF-8: this looks like Latin-1`),
      );
      t.not(first.status, 0, name);
      const sixteen = await file(name, utf16(text));
      const second = await cli(...argv, sixteen);
      t.match(
        second.stderr,
        new RegExp(`${name}:1:1: the file begins with the byte order mark of UTF-16LE`),
      );
      t.not(second.status, 0, name);
    }
  },
);
