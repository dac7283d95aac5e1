/** Language models as bundles: made the same each time, refused where anything is wrong, told from model bundles. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Bundle, kindOf, LanguageBundle, openBundle } from '../../src/bundle/index.js';
import { main } from '../../src/cli/main.js';
import { readModelFile } from '../../src/engine/model-file.js';
import { languageTar } from '../sim/language-bundle.js';
import { tinyBundle } from '../sim/tiny-checkpoint.js';

const folder = await mkdtemp(join(tmpdir(), 'kikitori-language-bundle-'));
const tiny = await tinyBundle();
t.teardown(async () => {
  await rm(folder, { recursive: true, force: true });
  await rm(tiny.folder, { recursive: true, force: true });
});
const text = 'stop the conveyor two\nset the light to blue\nstop conveyor one\n';
const good = await languageTar(folder, { version: '1.0.0', text });

async function kikitori(...argv: string[]) {
  const out: string[] = [];
  const err: string[] = [];
  const status = await main(argv, {
    stdout: { write: (s: string) => void out.push(s) },
    stderr: { write: (s: string) => void err.push(s) },
    env: {},
  });
  return { status, out: out.join(''), err: err.join('') };
}

type Ended = Awaited<ReturnType<typeof kikitori>>;
function refused(t: Test, { status, err }: Ended, why: RegExp) {
  t.not(status, 0);
  t.match(err, why);
}

void t.test('the same input gives the same bytes, and says what is in it', async (t) => {
  const again = await languageTar(join(folder, 'again'), { version: '1.0.0', text });
  t.ok((await readFile(again)).equals(await readFile(good)));
  const { manifest } = await LanguageBundle.open(good);
  t.match(manifest, {
    ...{ format: 1, kind: 'language-model', name: 'site', version: '1.0.0', language: 'en' },
    selftest: {
      sentences: ['stop the conveyor two', 'set the light to blue', 'stop conveyor one'],
    },
  });
  const { min, max } = manifest.selftest.perplexity;
  t.ok(min > 1 && max / min < 1.03);
  t.match(
    (await kikitori('lm', 'info', good)).out,
    /^site 1\.0\.0, for kikitori .* CC0\n {2}what a/,
  );
  t.match(JSON.parse((await kikitori('lm', 'info', '--json', good)).out), {
    manifest: { name: 'site' },
  });
});

void t.test('kinds are told apart, in words', async (t) => {
  t.equal(kindOf(await openBundle(good)), 'language-model');
  t.equal(kindOf(await openBundle(tiny.path)), 'model');
  t.equal((await openBundle(good)).manifest.name, 'site');
  t.equal((await openBundle(tiny.path)).manifest.name, 'tiny');
  await t.rejects(Bundle.open(good), {
    kind: 'bundle',
    message: /it is a language model.*expected a model bundle/,
  });
  await t.rejects(LanguageBundle.open(tiny.path), {
    message: /it is a model bundle.*expected a language model/,
  });
  const strange = await languageTar(folder, {
    version: '1.0.1',
    text,
    manifest: (m) => ({ ...m, kind: 'acoustic-joke' }),
  });
  await t.rejects(openBundle(strange), { message: /kind is "acoustic-joke".*update kikitori/ });
});

void t.test('what is damaged, cut, too large or too new is refused', async (t) => {
  const whole = await readFile(good);
  const at = (name: string) => join(folder, `${name}.tar`);
  const written = async (name: string, bytes: Uint8Array) => {
    await writeFile(at(name), bytes);
    return at(name);
  };
  for (const cut of [0, 100, 700, Math.floor(whole.length / 2), whole.length - 1100])
    await t.rejects(
      LanguageBundle.open(await written('cut', whole.subarray(0, cut))),
      { kind: 'bundle', message: /./ },
      `cut at ${cut}`,
    );
  const flipped = Buffer.from(whole);
  const inModel = whole.indexOf('kikitori-lm 1') + 200;
  flipped[inModel] = (flipped[inModel] ?? 0) ^ 1;
  await t.rejects(LanguageBundle.open(await written('flipped', flipped)), {
    message: /model\.lm has SHA-256/,
  });
  const large = Buffer.from(whole);
  // The size of a tar's first entry, in octal: far more than any bundle may have.
  large.write('77777777777\0', 124, 'latin1');
  await t.rejects(LanguageBundle.open(await written('large', large)), {
    kind: 'bundle',
    message: /./,
  });
  const changed = (version: string, manifest: Record<string, unknown>) =>
    languageTar(folder, { version, text, manifest: (m) => ({ ...m, ...manifest }) });
  await t.rejects(LanguageBundle.open(await changed('1.1.0', { minAgent: '99.0.0' })), {
    message: /minAgent is 99\.0\.0.*update kikitori/,
  });
  await t.rejects(LanguageBundle.open(await changed('1.1.1', { format: 2 })), {
    message: /format is 2.*newer than the agent/,
  });
  const selftest = { sentences: [], perplexity: { min: 5, max: 4 } };
  await t.rejects(
    LanguageBundle.open(await changed('1.1.2', { selftest, language: '', files: {} })),
    { message: /3 fault\(s\): .*language: .*sentences: .*perplexity: / },
    'all faults at once',
  );
  await t.rejects(LanguageBundle.open(await changed('1.1.3', { files: {} })), {
    message: /"model\.lm" missing/,
  });
  const cutModel = await languageTar(folder, {
    version: '1.1.4',
    text,
    model: (file) => file.subarray(0, file.length - 40),
  });
  await t.rejects(readModelFile(cutModel, { expected: 'x' }), {
    kind: 'bundle',
    message: /model\.lm: it has .* cut off/,
  });
});

void t.test('a card or sentences that are wrong: nothing is written', async (t) => {
  const out = join(folder, 'never.tar');
  const [card, sentences] = [join(folder, 'card.json'), join(folder, 'sentences.txt')];
  const pack = () =>
    kikitori(
      ...['lm', 'pack', join(folder, 'site-1.0.0.lm'), '--card', card],
      ...['--selftest', sentences, '--out', out],
    );
  await writeFile(sentences, text);
  await writeFile(card, '{"name": "x"');
  refused(t, await pack(), /it is no card/);
  await writeFile(card, '{"name": "x", "version": "one"}');
  refused(t, await pack(), /4 fault\(s\): version: "one"/);
  await writeFile(card, await readFile(join(folder, 'site-1.0.0.json')));
  await writeFile(sentences, '\n\n');
  refused(t, await pack(), /there are 0 sentences in it/);
  await t.rejects(readFile(out), { code: 'ENOENT' });
});

void t.test('the self-test of a board, as a command', async (t) => {
  const selftest = (path: string) =>
    kikitori('lm', 'selftest', '--json', '--model', tiny.path, path);
  const { status, out } = await selftest(good);
  const said = JSON.parse(out) as Record<string, number>;
  t.equal(status, 0);
  t.match(said, { passed: true, name: 'site', version: '1.0.0', sampleRateHz: 16_000 });
  t.ok(Number(said['words']) >= 9 && Number(said['realTimeFactor']) > 0);
  const sentences = ['blue blue blue'];
  const other = await languageTar(folder, {
    version: '1.2.0',
    text,
    manifest: (m) => ({ ...m, selftest: { sentences, perplexity: { min: 2, max: 3 } } }),
  });
  const failed = await selftest(other);
  t.equal(failed.status, 1);
  t.match(JSON.parse(failed.out), {
    passed: false,
    why: /^the perplexity of its 1 sentences is .*, it says 2 to 3$/,
  });
  refused(t, await selftest(tiny.path), /it is a model bundle/);
});
