/** transcribe --dictation, with a model that is built, and what an operator sees when something is wrong. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { encodeWav } from '../../src/audio/index.js';
import { dictationFindings } from '../../src/cli/doctor/dictation.js';
import { main } from '../../src/cli/main.js';
import { loadConfig } from '../../src/config/index.js';
import { Engine } from '../../src/engine/engine.js';
import { phoneChain } from '../../src/measure/calibrate/phone-chain.js';
import { speak, toneBundle } from '../sim/tone-model.js';

const { path: model, folder: modelFolder } = await toneBundle();
const folder = await mkdtemp(join(tmpdir(), 'kikitori-dictation-'));
t.teardown(async () => {
  await rm(modelFolder, { recursive: true, force: true });
  await rm(folder, { recursive: true, force: true });
});

async function cli(...argv: string[]) {
  let [stdout, stderr] = ['', ''];
  const status = await main(argv, {
    stdout: { write: (text: string) => (stdout += text) },
    stderr: { write: (text: string) => (stderr += text) },
    env: {},
  });
  return { status, stdout, stderr };
}

const text = join(folder, 'text');
const words = join(folder, 'words.lm');
const said = join(folder, 'said.wav');
await writeFile(text, 'stop conveyor two\nstop conveyor one\nset the light to blue ж\n'.repeat(3));
const clip = [
  speak('set the light to blue', { beforeMs: 300, afterMs: 1200 }),
  speak('stop conveyor two', { beforeMs: 0, afterMs: 300 }),
];
const commandFile = join(folder, 'command.wav');
await writeFile(commandFile, encodeWav(clip[0] ?? new Float32Array(0), 16000));
const samples = new Float32Array(clip.reduce((sum, c) => sum + c.length, 0));
samples.set(clip[0] ?? []);
samples.set(clip[1] ?? [], clip[0]?.length ?? 0);
await writeFile(said, encodeWav(samples, 16000));

interface Line {
  readonly text: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly wordConfidence: number;
  readonly words: readonly { readonly confidence: number }[];
}

void t.test('a line for what was said between two pauses, with times', async (t) => {
  t.equal((await cli('lm', 'build', text, '--out', words)).status, 0);
  const options = ['transcribe', '--dictation', '--language-model', words, '--model', model];
  const { status, stdout } = await cli(...options, '--json', said);
  t.equal(status, 0);
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
  t.match(lines, [
    { file: said, text: 'set the light to blue' },
    { file: said, text: 'stop conveyor two' },
  ]);
  t.same(Object.keys(lines[0] ?? {}), [
    'file',
    'text',
    'confidence',
    'wordConfidence',
    'startMs',
    'endMs',
    'words',
  ]);
  for (const { wordConfidence, words } of lines)
    t.ok(
      Math.abs(wordConfidence - words.reduce((sum, w) => sum + w.confidence / words.length, 0)) <
        2e-4,
      'wordConfidence is the mean of the words',
    );
  t.ok((lines[1]?.startMs ?? 0) > (lines[0]?.endMs ?? Infinity) + 900);
  const plain = await cli(...options, said);
  t.match(
    plain.stdout,
    /said\.wav: \d+\.\d\d to \d+\.\d\d s: "stop conveyor two" \[[01]\.\d\d, words [01]\.\d\d\]/,
  );
});

void t.test('any words within a command', async (t) => {
  const grammar = join(folder, 'grammar.yaml');
  await writeFile(
    grammar,
    'lists: { thing: { wildcard: true } }\nintents: { Set: { data: [{ sentences: ["set the {thing} to blue", "stop {dictation}"] }] } }\n',
  );
  const options = ['--grammar', grammar, '--model', model, '--language-model', words];
  const { status, stdout } = await cli('transcribe', ...options, '--json', commandFile);
  t.equal(status, 0);
  t.match(JSON.parse(stdout), {
    text: 'set the light to blue',
    accepted: true,
    intent: 'Set',
    slots: { thing: 'light' },
  });
  const labels = join(folder, 'labels.json');
  await writeFile(
    labels,
    JSON.stringify({ 'command.wav': { intent: 'Set', slots: { thing: 'light' } } }),
  );
  const measured = await cli(
    'evaluate',
    ...options,
    '--labels',
    labels,
    '--clips',
    '--json',
    folder,
  );
  t.equal(measured.status, 0, measured.stderr);
  t.match(measured.stdout, /"right":true|"correct":true|"light"/);
});

void t.test('own terms are heard, also those that the language model lacks', async (t) => {
  const terms = join(folder, 'terms');
  const kitchen = join(folder, 'kitchen.wav');
  await writeFile(
    kitchen,
    encodeWav(speak('set the kitchen', { beforeMs: 300, afterMs: 300 }), 16000),
  );
  await writeFile(terms, 'kitchen: 1000\n東京: 3\n');
  const options = ['transcribe', '--dictation', '--language-model', words, '--model', model];
  t.notMatch((await cli(...options, kitchen)).stdout, /kitchen"/);
  const { status, stdout, stderr } = await cli(...options, '--boost', terms, kitchen);
  t.equal(status, 0);
  t.match(stdout, /"set the kitchen"/);
  t.match(stderr, /terms: nothing says how these sound.*東京/);
  await writeFile(terms, 'kitchen 1000\n');
  const wrong = await cli(...options, '--boost', terms, kitchen);
  t.equal(wrong.status, 1);
  t.match(wrong.stderr, /terms:1:1: "kitchen 1000", expected "word: FACTOR"/);
});

void t.test('doctor: the language model and the own terms', async (t) => {
  const engine = await Engine.open({ modelPath: model });
  t.teardown(async () => engine.close());
  const terms = join(folder, 'doctor-terms');
  await writeFile(terms, 'kitchen: 10\n');
  const found = async (env: Record<string, string>) =>
    dictationFindings(loadConfig(undefined, env), engine, null);
  t.same(await found({}), []);
  const env = {
    KIKITORI_RECOGNIZER_MODE: 'dictation',
    KIKITORI_RECOGNIZER_LANGUAGE_MODEL_PATH: words,
    KIKITORI_RECOGNIZER_BOOST_PATH: terms,
  };
  t.match(await found(env), [{ status: 'ok', what: /words\.lm, \d+ words, 1 of them own terms/ }]);
  await writeFile(terms, '東京: 10\n');
  t.match(await found(env), [{ status: 'warning', what: /never heard.*東京/ }]);
  const missing = { ...env, KIKITORI_RECOGNIZER_LANGUAGE_MODEL_PATH: join(folder, 'none') };
  t.match(await found(missing), [{ status: 'failed', what: /none: there is no such file/ }]);
  const commands = { ...env, KIKITORI_RECOGNIZER_MODE: 'always' };
  t.match(await found(commands), [{ check: 'open slots', what: /never heard/ }]);
  await writeFile(terms, 'kitchen: 10\n');
  t.match(await found(commands), [
    { status: 'warning', what: /no phone chain, so talk is not told from commands/ },
  ]);
  const { manifest } = engine.bundle;
  const chain = phoneChain(engine.lexicon.pronunciations(), manifest.units.length);
  const calibrated = { ...manifest, confidence: { ...manifest.confidence, chain } };
  const asked = { lexicon: engine.lexicon, bundle: { manifest: calibrated } };
  t.match(await dictationFindings(loadConfig(undefined, commands), asked, null), [
    { status: 'ok', check: 'open slots' },
  ]);
  const closed = join(folder, 'closed.yaml');
  await writeFile(closed, 'intents: {Stop: {data: [{sentences: ["stop"]}]}}');
  const grammar = await engine.sentences({ grammarPath: closed });
  const unread = await dictationFindings(loadConfig(undefined, commands), engine, grammar);
  t.match(unread, [{ status: 'ok', what: /words\.lm is not read: no sentence has a slot/ }]);
  t.throws(() => loadConfig(undefined, { KIKITORI_RECOGNIZER_MODE: 'dictation' }), {
    message: /recognizer\.mode: got "dictation", expected recognizer\.languageModelPath with it/,
  });
});

void t.test('grammar check and the self-test of a bundle know of any words', async (t) => {
  const grammar = join(folder, 'any.yaml');
  await writeFile(grammar, 'intents: {Note: {data: [{sentences: ["stop {dictation}"]}]}}');
  const check = ['grammar', 'check', '--model', model];
  const alone = await cli(...check, grammar);
  t.match(alone, {
    status: 1,
    stderr: /any\.yaml:1:\d+: .*\{dictation\}.*recognizer\.languageModelPath/,
  });
  const both = await cli(...check, '--language-model', words, grammar);
  t.match(both, { status: 0, stdout: /any\.yaml: 1 sentences/ }, both.stderr);
  t.match(await cli('grammar', 'sample', '--model', model, '--language-model', words, grammar), {
    stdout: /^stop \.\.\.  ->  Note/,
  });
  const none = await cli(...check, '--language-model', join(folder, 'none'), grammar);
  t.match(none, { status: 1, stderr: /none: there is no such file/ });
  const selftest = async (...more: string[]) => {
    const { status, stdout } = await cli('model', 'selftest', '--json', ...more, model);
    return { status, ...(JSON.parse(stdout) as { sentences?: number; fault?: object }) };
  };
  const site = ['--grammar', grammar];
  t.match(await selftest(...site), { status: 1, fault: { kind: 'grammar' } });
  t.match(await selftest(...site, '--language-model', words), { sentences: 1 });
  t.match(await selftest(...site, '--language-model', said), {
    status: 1,
    fault: { kind: 'input' },
  });
  const stop = join(folder, 'stop.yaml');
  await writeFile(stop, 'intents: {Stop: {data: [{sentences: ["stop"]}]}}');
  const unused = ['--grammar', stop, '--language-model', said];
  t.match(await selftest(...unused), { sentences: 1 }, 'not read where nobody hears by it');
  t.match(await selftest(...unused, '--dictation'), { fault: { kind: 'input' } });
  t.equal((await cli('model', 'selftest', '--dictation', model)).status, 2);
});

void t.test('what is missing or wrong is said', async (t) => {
  const cases: [string[], number, RegExp][] = [
    [['--dictation', said], 2, /--dictation needs --language-model FILE/],
    [['--boost', words, said], 2, /--boost needs --language-model FILE/],
    [
      ['--dictation', '--language-model', join(folder, 'none'), '--model', model, said],
      1,
      /none: no such file|there is no such file/,
    ],
    [['--dictation', '--language-model', said, '--model', model, said], 1, /said\.wav/],
  ];
  for (const [argv, status, message] of cases) {
    const got = await cli('transcribe', ...argv);
    t.equal(got.status, status, got.stderr);
    t.match(got.stderr, message);
  }
});
