/** What people write that is nearly right: each is taken as they meant it, or they are told how to say it. */
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { Bundle } from '../../src/bundle/index.js';
import { main } from '../../src/cli/main.js';
import { loadConfig, reloadConfig } from '../../src/config/index.js';
import { KikitoriError, messageOf } from '../../src/runtime/errors.js';
import { nearest } from '../../src/runtime/nearest.js';
import { shippedModel } from '../sim/model.js';

const folder = await mkdtemp(join(tmpdir(), 'kikitori-unfriendly-'));
t.teardown(() => rm(folder, { recursive: true, force: true }));
let count = 0;
async function file(text: string) {
  const path = join(folder, `c${count++}.yaml`);
  await writeFile(path, text);
  return path;
}
async function cli(...argv: string[]) {
  let [out, err] = ['', ''];
  const status = await main(argv, {
    stdout: { write: (text: string) => (out += text) },
    stderr: { write: (text: string) => (err += text) },
    env: {},
  });
  return { status, out, err };
}
const checked = async (text: string) => cli('config', 'check', await file(text));

void t.test('a text that YAML reads as a number', async (t) => {
  for (const [written, advice] of [
    ['007', /got 007, which is read as the number 7; a text like this needs quotes: '007'/],
    ['1e3', /got 1e3.*number 1000.*'1e3'/],
    ['0x10', /number 16/],
    ['1.50', /number 1\.5;/],
    ['true', /got true, which is read as the boolean true; a text like this needs quotes: 'true'/],
  ] as const)
    for (const key of ['device:\n  id:', 'publish:\n  base:'])
      t.match(await checked(`${key} ${written}\n`), { status: 2, err: advice }, written);
  t.match(await checked('device:\n  id: 007\n'), { err: /2:3: device\.id: / });
  const { device } = loadConfig(await file('device: {id: 7}\n'), {});
  t.equal(device.id, '7', 'nothing of it is lost');
  t.equal(loadConfig(await file("device: {id: '007'}\n"), {}).device.id, '007');
});

void t.test('tags of other programs', async (t) => {
  for (const tag of ['!secret', '!include', '!env_var']) {
    const { status, err } = await checked(`publish:\n  mqtt:\n    username: ${tag} x\n`);
    t.equal(status, 2);
    t.match(err, new RegExp(`3:\\d+: the tag ${tag} is not understood; a secret is a file`));
  }
  t.match(await checked('log: {level: !mine debug}'), {
    status: 2,
    err: /a text .* ! needs quotes/,
  });
  t.equal((await checked("capture: {device: '!secret x'}")).status, 0, 'in quotes it is a text');
});

void t.test('~ is the home of who runs it', async (t) => {
  const path = await file('grammar: {path: ~/s.yaml}\nstate: {dir: "~"}\n');
  const config = loadConfig(path, { HOME: '/home/me' });
  t.equal(config.grammar.path, '/home/me/s.yaml');
  t.equal(config.state.dir, '/home/me');
  t.match(await checked('grammar: {path: ~you/s.yaml}'), {
    status: 2,
    err: /only ~\/ is understood/,
  });
  t.match(await checked('grammar: {path: "http://h/s.yaml"}'), {
    status: 2,
    err: /got an address/,
  });
});

void t.test('a file that cannot be read is said for what it is', async (t) => {
  await mkdir(join(folder, 'd.yaml'));
  for (const [path, what] of [
    [join(folder, 'none.yaml'), /there is no such file; begin with a copy/],
    [join(folder, 'd.yaml'), /this is a folder, not a file$/m],
    [join(await file(''), 'x.yaml'), /a part of its path is no folder$/m],
    [join(folder, `${'x'.repeat(300)}.yaml`), /no file has so long a name$/m],
  ] as const)
    t.match(await cli('config', 'check', path), { status: 2, err: what });
  if (process.getuid?.() !== 0) {
    const closed = await file('');
    await chmod(closed, 0);
    t.match(await cli('config', 'check', closed), { err: /this user may not read it$/m });
  }
});

void t.test('several files are all checked; what would not be looked at is refused', async (t) => {
  const [good, bad] = [await file('log: {level: debug}'), await file('log: {level: loud}')];
  const { status, out, err } = await cli('config', 'check', good, bad, good);
  t.equal(status, 2);
  t.equal(out.match(/: good/g)?.length, 2);
  t.match(err, /got "loud"/);
  const json = await cli('config', 'check', '--json', bad, good);
  t.same(
    json.out
      .trim()
      .split('\n')
      .map((l) => (JSON.parse(l) as { good: boolean }).good),
    [false, true],
  );
  for (const argv of [
    ['config', 'show', good, good],
    ['config', 'schema', good],
    ['run', 'now'],
    ['listen', 'now'],
    ['doctor', good],
    ['evaluate', '--grammar', 'g', 'a', 'b'],
    ['evaluate', '--near-misses', 'a'],
    ['evaluate', '--wake', 'hey', 'a'],
    ['evaluate', '--endpoint', 'a', 'b'],
    ['grammar', 'check', 'a', 'b'],
    ['tune', 'a', 'b'],
    ['model', 'inspect', 'a', 'b'],
    ['model', 'selftest', 'a', 'b'],
    ['model', 'pack', 'a'],
    ['model', 'calibrate', 'a'],
    ['model', 'report', 'a'],
    ['model', 'compress', 'a', 'b'],
    ['model', 'search', 'a', 'b'],
    ['model', 'quantize', 'a', 'b'],
    ['model', 'floor', 'a', 'b'],
    ['model', 'blend', 'a', 'b', 'c'],
    ['fleet', 'init', 'a', 'b'],
    ['fleet', 'publish', 'a', 'b'],
    ['fleet', 'rollout', 'a', 'b'],
    ['fleet', 'accept', 'a', 'b'],
    ['fleet', 'revoke', 'a', 'b'],
    ['fleet', 'list', 'a'],
    ['fleet', 'refresh', 'a'],
    ['fleet', 'status', 'a'],
    ['fleet', 'watch', 'a'],
    ['fleet', 'channel', 'add', 'a', 'b'],
    ['fleet', 'key', 'remove', 'root', 'a', 'b'],
    ['fleet', 'delegate', 'add', 'a', 'b'],
  ]) {
    const result = await cli(...argv);
    t.equal(result.status, 2, argv.join(' '));
    t.match(result.err, /unexpected argument|files, but config/, argv.join(' '));
  }
});

void t.test('the nearest known one is named', async (t) => {
  for (const [argv, expected] of [
    [['run', '--confg', 'x'], /unknown option --confg, did you mean --config\?/],
    [
      ['transcribe', '--jsn', '--modle=x', 'a'],
      /--jsn, did you mean --json\?; unknown option --modle, did you mean --model\?/,
    ],
    [['run', 'config'], /unexpected argument "config" \(did you mean --config\?\)/],
    [['transcrbe'], /unknown command "transcrbe", did you mean "transcribe"\?/],
    [['config', 'chekc'], /did you mean config check\?/],
    [['model', 'inspekt'], /did you mean model inspect\?/],
    [['fleet', 'publsh'], /did you mean fleet publish\?/],
    [['grammar', 'chek'], /did you mean grammar check\?/],
    [['run', '--config', ''], /--config is empty/],
  ] as const) {
    const { status, err } = await cli(...argv);
    t.equal(status, 2, argv.join(' '));
    t.match(err, expected);
  }
  t.equal(nearest('url', ['passwordFile', 'x']), undefined);
});

void t.test('an empty file does not change what runs', async (t) => {
  const path = await file('grammar: {path: mine.yaml}\n');
  const before = loadConfig(path, {});
  for (const text of ['', '\n\n', '# all of it\n', '---\n', '{}', 'grammar:\n']) {
    await writeFile(path, text);
    t.throws(
      () => reloadConfig(path, {}, before),
      { message: /the file sets nothing/ },
      JSON.stringify(text),
    );
    t.match(await cli('config', 'check', path), {
      status: 0,
      err: /sets nothing: every key has its default/,
    });
  }
  const defaults = loadConfig(path, {});
  t.same(reloadConfig(path, {}, defaults), defaults, 'nothing changes');
  await writeFile(path, 'log: {level: debug}');
  t.equal(reloadConfig(path, {}, before).log.level, 'debug');
});

void t.test('no message begins with ": ", and none is empty', async (t) => {
  t.equal(new KikitoriError('it is wrong', { kind: 'input', where: '' }).message, 'it is wrong');
  t.match(await checked('"": 1'), {
    status: 2,
    err: /1:1: \(file\): unknown key; known here: device/,
  });
  t.match(await checked(': 1'), { status: 2, err: /\(file\): unknown key/ });
  t.match(await cli('config', 'check', ''), {
    status: 2,
    err: /^kikitori config: --config is empty/,
  });
  t.equal(messageOf(new AggregateError([new Error('a'), new Error('b'), new Error('a')])), 'a; b');
  t.equal(messageOf(Object.assign(new Error(''), { code: 'ECONNREFUSED' })), 'ECONNREFUSED');
});

void t.test('model inspect of an ONNX file', async (t) => {
  const path = join(t.testdir(), 'model.onnx');
  await writeFile(path, (await Bundle.open(shippedModel)).file('model.onnx'));
  const { status, out } = await cli('model', 'inspect', path);
  t.equal(status, 0);
  t.match(
    out,
    /an ONNX file, not a bundle\n {2}producer {4}kikitori.*\n {2}opset {7}ai\.onnx 17.*\n {2}inputs {6}features: FLOAT \[T, 1, 320\]/,
  );
  t.match(out, /nodes {7}.*3 Scan/);
  const json = await cli('model', 'inspect', '--json', path);
  t.match(JSON.parse(json.out), { kind: 'onnx', producer: 'kikitori', nodes: { Scan: 3 } });
  const broken = join(folder, 'broken.onnx');
  await writeFile(broken, 'no model');
  t.match(await cli('model', 'inspect', broken), { status: 1, err: /this is no ONNX file/ });
});
