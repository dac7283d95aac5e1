/** Thousands of files: as arguments, as a folder, as a list. */
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { encodeWav } from '../../src/audio/index.js';
import { main } from '../../src/cli/main.js';
import { Child } from '../sim/process.js';
import { catches, childOf } from '../sim/signals.js';
import { speak, toneBundle } from '../sim/tone-model.js';

const command = fileURLToPath(new URL('../../bin/kikitori.js', import.meta.url));
const { path: model, folder: modelFolder } = await toneBundle();
const folder = await mkdtemp(join(tmpdir(), 'kikitori-many-'));
t.teardown(async () => {
  await rm(modelFolder, { recursive: true, force: true });
  await rm(folder, { recursive: true, force: true });
});

const grammar = join(folder, 'g.yaml');
await writeFile(grammar, 'intents:\n  Stop: {data: [{sentences: [stop conveyor two]}]}\n');
const options = ['transcribe', '--json', '--model', model, '--grammar', grammar];
const noise = encodeWav(new Float32Array(1600), 16000);

const many = join(folder, 'many');
await mkdir(join(many, 'b', 'deep'), { recursive: true });
const names = Array.from({ length: 2000 }, (_, i) =>
  join(
    many,
    'b',
    'deep',
    `a rather long name of a recording, ünï "${String(i).padStart(4, '0')}".wav`,
  ),
);
for (const name of names) await writeFile(name, noise);
await writeFile(join(many, 'a.flac'), 'no audio');
await writeFile(join(many, 'notes.txt'), 'no recording');
await symlink(many, join(many, 'b', 'round'));

const filesIn = (lines: readonly string[]) =>
  lines.map((line) => (JSON.parse(line) as { file: string }).file);

/** With something on its standard input, as a shell has it. */
async function piped(input: string, argv: readonly string[]) {
  const child = spawn('env', ['-u', 'NODE_OPTIONS', process.execPath, command, ...argv], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, TAP: undefined },
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (part: Buffer) => (stdout += part.toString()));
  child.stderr.on('data', (part: Buffer) => (stderr += part.toString()));
  child.stdin.end(input);
  const status = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { status, stderr, lines: stdout.split('\n').filter((line) => line !== '') };
}

void t.test('2,000 names on the command line', async (t) => {
  const child = Child.node([command, ...options, ...names]);
  t.equal(await child.exit(), 0, child.errors);
  t.same(filesIn(child.lines), names);
});

void t.test(
  'a folder: everything in it that is audio, sorted; once, also where a link goes round',
  async (t) => {
    const { status, lines, stderr } = await piped('', [...options, many]);
    t.equal(status, 1, 'one of them is no audio');
    t.match(stderr, /a\.flac: /);
    t.notMatch(stderr, /notes/);
    t.same(filesIn(lines), names);
  },
);

void t.test('a list: by lines, by NUL, from a file and from standard input', async (t) => {
  const some = names.slice(0, 5);
  for (const text of [some.join('\n'), `${some.join('\r\n')}\r\n\r\n`, `${some.join('\0')}\0`]) {
    const { status, lines, stderr } = await piped(text, [...options, '--files-from', '-']);
    t.equal(status, 0, stderr);
    t.same(filesIn(lines), some);
  }
  const list = join(folder, 'list');
  await writeFile(list, names.join('\n'));
  const { status, lines } = await piped('', [...options, `--files-from=${list}`]);
  t.equal(status, 0);
  t.same(filesIn(lines), names);
  const none = await piped('\n', [...options, '--files-from', '-']);
  t.equal(none.status, 2);
  t.match(none.stderr, /no files were given/);
  const missing = await piped('', [...options, '--files-from', join(folder, 'nothing')]);
  t.equal(missing.status, 1);
  t.match(missing.stderr, /nothing: there is no such file; expected a list/);
});

void t.test('status, signal and odd arguments are passed on', async (t) => {
  const long = 'x'.repeat(20_000);
  const refused = Child.node([
    command,
    'config',
    'check',
    '--no-such',
    long,
    '',
    '"\n\0'.slice(0, 2),
  ]);
  t.equal(await refused.exit(), 2);
  t.match(refused.errors, /unknown option --no-such/);
  // A daemon that hears nothing, begun with a long command line, ends in order.
  const config = join(folder, 'c.json');
  const state = { dir: join(folder, 'state') };
  const capture = { device: 'none' };
  await writeFile(
    config,
    JSON.stringify({ model: { path: model }, grammar: { path: grammar }, capture, state }),
  );
  const padding = Array.from({ length: 500 }, () => `--config=${config}`);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const daemon = Child.node([command, 'run', ...padding]);
    await daemon.line('agent.ready');
    await catches(await childOf(daemon.child.pid ?? 0), signal);
    daemon.child.kill(signal);
    t.equal(await daemon.exit(), 0, daemon.errors);
  }
});

void t.test('--channel, from 0, and -1 for all', async (t) => {
  const [left, right] = [speak('stop conveyor two', { beforeMs: 300, afterMs: 300 }), 0];
  const mono = encodeWav(left, 16000);
  const stereo = new Uint8Array(44 + 2 * (mono.length - 44));
  stereo.set(mono.subarray(0, 44));
  const view = new DataView(stereo.buffer);
  view.setUint16(22, 2, true);
  view.setUint32(28, 64000, true);
  view.setUint16(32, 4, true);
  view.setUint32(40, stereo.length - 44, true);
  left.forEach((v, i) => {
    view.setInt16(44 + 4 * i, Math.round(32767 * v), true);
    view.setInt16(46 + 4 * i, right, true);
  });
  const file = join(folder, 'stereo.wav');
  await writeFile(file, stereo);
  const heard = async (...argv: string[]) => {
    let [out, err] = ['', ''];
    const status = await main([...options, ...argv, file], {
      stdout: { write: (text: string) => (out += text) },
      stderr: { write: (text: string) => (err += text) },
      env: {},
    });
    return { status, err, text: out === '' ? null : (JSON.parse(out) as { text: string }).text };
  };
  t.equal((await heard('--channel', '0')).text, 'stop conveyor two');
  t.equal((await heard('--channel', '1')).text, '', 'nothing was said there');
  t.equal((await heard('--channel=-1')).text, (await heard()).text, 'mixed is the default');
  t.match(await heard('--channel', '2'), { status: 1, err: /no channel 2; expected 0 to 1/ });
  for (const bad of ['left', '1.5', '-2', '32'])
    t.match(await heard(`--channel=${bad}`), {
      status: 2,
      err: /expected a channel from 0 to 31|expected a number/,
    });
});
