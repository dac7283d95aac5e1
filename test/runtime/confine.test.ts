/** What a confined process can still do: each attempt is made with and without, by Node and by bare system calls. */
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, mkdir, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { canConfine, confined, confinedName, withoutOwn } from '../../src/runtime/confine.js';
import { commandPath, confinePath, programPath } from '../../src/runtime/paths.js';
import { Child } from '../sim/process.js';
import { modelMissing, shippedModel } from '../sim/model.js';

const skip = canConfine() ? false : 'perl is not installed';
const folder = await realpath(await mkdtemp(join(tmpdir(), 'kikitori-confine-')));
t.teardown(() => rm(folder, { recursive: true, force: true }));

async function linesOf(command: readonly string[]): Promise<string[]> {
  const [program = '', ...args] = command;
  const child = Child.run('env', ['-u', 'NODE_OPTIONS', program, ...args]);
  await child.exit();
  return [...child.lines, ...child.errors.split('\n')].filter((line) => line !== '');
}

/** Each line: what was tried, and "done" or why not. */
const attempts = (other: string, port: number, pid: number) => `
  const fs = require('fs'), net = require('net'), dgram = require('dgram'), { spawnSync } = require('child_process');
  const at = (name) => ${JSON.stringify(other)} + '/' + name;
  const say = (what, why) => console.log(what + ': ' + (why ?? 'done'));
  const attempt = (what, act) => { try { act(); say(what); } catch (e) { say(what, e.code ?? e.message); } };
  attempt('write', () => fs.writeFileSync(at('new'), 'x'));
  attempt('append', () => fs.appendFileSync(at('file'), 'x'));
  attempt('truncate', () => fs.truncateSync(at('file'), 1));
  attempt('rename', () => fs.renameSync(at('file'), at('file')));
  attempt('link', () => fs.linkSync(at('file'), at('hard')));
  attempt('symlink', () => fs.symlinkSync(at('file'), at('soft')));
  attempt('mkdir', () => fs.mkdirSync(at('folder')));
  attempt('chmod', () => fs.chmodSync(at('file'), 0o644));
  attempt('utimes', () => fs.utimesSync(at('file'), 1, 1));
  attempt('unlink', () => fs.unlinkSync(at('file')));
  attempt('read another', () => fs.readFileSync(at('secret')));
  attempt('list another', () => fs.readdirSync(at('.')));
  attempt('read what was named', () => fs.readFileSync(process.argv[1]));
  attempt('memory of its parent', () => fs.readSync(fs.openSync('/proc/${pid}/mem', 'r'), Buffer.alloc(1), 0, 0, 4096));
  attempt('write memory of its parent', () => fs.openSync('/proc/${pid}/mem', 'r+'));
  attempt('signal its parent', () => process.kill(${pid}, 0));
  attempt('program', () => { const { error } = spawnSync('/bin/true'); if (error) throw error; });
  const ending = (what, emitter, event) => new Promise((resolve) => {
    emitter.on(event, () => { say(what); resolve(); }).on('error', (e) => { say(what, e.code); resolve(); });
  });
  (async () => {
    await ending('connect', net.connect(${port}, '127.0.0.1'), 'connect');
    await ending('listen', net.createServer().listen(0), 'listening');
    await ending('listen at a path', net.createServer().listen(at('socket')), 'listening');
    try { await ending('datagrams', dgram.createSocket('udp4').bind(0), 'listening'); } catch (e) { say('datagrams', e.code); }
    const { Worker } = require('worker_threads');
    await ending('thread', new Worker('1', { eval: true }), 'exit');
    say('confined by', process.env.${confinedName} ?? '');
    process.exit(0);
  })();
`;

void t.test('by Node: what is refused, and what is not', { skip }, async (t) => {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const ask = async (name: string, wrap: (command: readonly string[]) => readonly string[]) => {
    const other = join(folder, name);
    await mkdir(other);
    await writeFile(join(other, 'file'), 'x');
    await writeFile(join(other, 'secret'), 'x');
    const program = join(folder, `${name}.cjs`);
    await writeFile(program, attempts(other, port, process.pid));
    const lines = await linesOf(wrap([process.execPath, program]));
    return new Map(lines.map((line) => line.split(': ') as [string, string]));
  };
  const free = await ask('free', (command) => command);
  const bound = await ask('bound', (command) => confined(command, [join(folder, 'bound.cjs')]));
  const allowed = ['read what was named', 'thread', 'confined by'];
  t.ok(free.size >= 23, [...free].join('\n'));
  t.match(bound.get('confined by'), /^seccomp/);
  const landlock = bound.get('confined by')?.includes('landlock') === true;
  t.comment(`confined by ${bound.get('confined by') ?? ''}`);
  for (const [what, why] of free) {
    // A process may not look into another everywhere.
    if (!/memory/.test(what) && what !== 'confined by') t.equal(why, 'done', `free: ${what}`);
    if (allowed.includes(what)) continue;
    if (!landlock && /^(read|list) another|^memory/.test(what)) continue;
    t.match(bound.get(what), /^E[A-Z]+$/, `confined: ${what}`);
  }
  for (const what of allowed.slice(0, 2)) t.equal(bound.get(what), 'done', what);
});

/** Numbers of the two processors, tried as such: what a library in machine code could try. */
const calls = {
  x64: {
    execve: 59,
    clone: 56,
    fork: 57,
    socket: 41,
    open: 2,
    openat: 257,
    ptrace: 101,
    kill: 62,
    chmod: 90,
    unlinkat: 263,
    x32: 0x40000000 + 41,
  },
  arm64: {
    execve: 221,
    clone: 220,
    socket: 198,
    openat: 56,
    ptrace: 117,
    kill: 129,
    fchmodat: 53,
    unlinkat: 35,
  },
}[process.arch as 'x64' | 'arm64'];

void t.test('by bare system calls', { skip }, async (t) => {
  const everywhere = {
    clone3: 435,
    openat2: 437,
    io_uring_setup: 425,
    pidfd_open: 434,
    pidfd_getfd: 438,
    fchmodat2: 452,
  };
  const arguments_: Readonly<Record<string, string>> = {
    execve: '$path, $none, $none, 0',
    clone: '17, 0, 0, 0, 0',
    socket: '2, 1, 0',
    x32: '2, 1, 0',
    open: '$path, 1, 0',
    openat: '-100, $path, 0x41, 0x1a4',
    kill: `${process.pid}, 0`,
    pidfd_open: `${process.pid}, 0`,
    chmod: '$path, 0x1ed',
    unlinkat: '-100, $path, 0',
  };
  const lines = await linesOf(
    confined(
      [
        '/usr/bin/perl',
        '-e',
        `my ($path, $none) = ("/dev/null" . "", "\\0" x 8);
        ${Object.entries({ ...calls, ...everywhere })
          .map(
            ([name, number]) =>
              `$! = 0; my $r = syscall ${number}, ${arguments_[name] ?? '0, 0, 0'}; print "${name} ", $r, " ", $!+0, "\\n";`,
          )
          .join('\n')}
        print "over\\n";`,
      ],
      [],
    ),
  );
  t.equal(lines.at(-1), 'over', 'it has neither become another program nor ended');
  t.equal(lines.length, Object.keys({ ...calls, ...everywhere }).length + 1, 'nor become two');
  for (const line of lines.slice(0, -1)) t.match(line, /^\w+ -1 (1|38)$/, line);
});

void t.test('the self-test hears and computes the same', { skip }, async (t) => {
  const missing = modelMissing();
  if (missing !== undefined) return t.comment(missing);
  const command = [process.execPath, commandPath, 'model', 'selftest', '--json', shippedModel];
  const read = [programPath, join(programPath, 'node_modules'), shippedModel];
  const told = async (line: readonly string[]) => {
    const lines = await linesOf(line);
    return JSON.parse(lines[0] ?? '{}') as Record<string, unknown>;
  };
  const [free, bound] = [await told(command), await told(confined(command, read))];
  t.match(bound, { passed: true, confined: /^seccomp/ });
  t.match(free, { passed: true, confined: '' });
  for (const name of ['heard', 'confidence', 'logits', 'sampleRateHz'])
    t.equal(bound[name], free[name], name);
});

void t.test('links of a folder may be followed, and variables stay behind', { skip }, async (t) => {
  await mkdir(join(folder, 'mounted'));
  await mkdir(join(folder, 'data'));
  await writeFile(join(folder, 'data', 'a.yaml'), 'x');
  await symlink(join(folder, 'data'), join(folder, 'mounted', '..data'));
  await symlink('..data/a.yaml', join(folder, 'mounted', 'a.yaml'));
  const program = `console.log(require('fs').readFileSync(${JSON.stringify(join(folder, 'mounted', 'a.yaml'))}, 'utf8'))`;
  const [line] = await linesOf(
    confined([process.execPath, '-e', program], [join(folder, 'mounted')]),
  );
  t.equal(line, 'x');
  t.same(
    withoutOwn({
      ...{
        PATH: '/bin',
        MALLOC_ARENA_MAX: '1',
        CREDENTIALS_DIRECTORY: '/run/c',
        NODE_OPTIONS: '-r x',
      },
      ...{ NOTIFY_SOCKET: '/run/n', WATCHDOG_USEC: '1', KIKITORI_PUBLISH_MQTT_USERNAME: 'd' },
    }),
    { PATH: '/bin', MALLOC_ARENA_MAX: '1' },
  );
});

void t.test('a program that is not there is said', { skip }, async (t) => {
  t.match(
    (await linesOf(confined(['/no/such'], []))).join(),
    /\/no\/such cannot be started: No such file/,
  );
});

void t.test(
  'the numbers are those of the kernel, and the two processors forbid the same',
  async (t) => {
    const files = {
      x86_64: ['/usr/include/x86_64-linux-gnu/asm/unistd_64.h', /^#define __NR_(\w+)\s+(\d+)/gm],
      aarch64: ['/usr/include/asm-generic/unistd.h', /^#define __NR(?:3264)?_(\w+)\s+(\d+)/gm],
    } as const;
    if (!Object.values(files).every(([path]) => existsSync(path)))
      return t.comment('the headers of the kernel are not installed');
    const source = await readFile(confinePath, 'utf8');
    const [x86, arm] = (['x86_64', 'aarch64'] as const).map((name) => {
      const [path, pattern] = files[name];
      const found = [...readFileSync(path, 'utf8').matchAll(pattern)];
      const names = new Map(found.map(([, call = '', number]) => [Number(number), call]));
      const part = source.split(`  ${name} => {`)[1]?.split('\n  },')[0] ?? '';
      const [head = '', denied = ''] = part.split('denied =>');
      for (const [, call = '', number] of head.matchAll(
        /(prctl|execve|clone|kill|tgkill) => (\d+)/g,
      ))
        t.equal(names.get(Number(number)), call, name);
      const numbers = denied.replace(/#.*/g, '').match(/\d+/g) ?? [];
      return {
        all: new Set(names.values()),
        denied: numbers.map((n) => names.get(Number(n)) ?? n),
      };
    });
    if (x86 === undefined || arm === undefined) throw new Error('no table');
    for (const { denied } of [x86, arm])
      t.same(
        denied.filter((call) => /^\d/.test(call)),
        [],
      );
    t.same(
      x86.denied.filter((call) => arm.all.has(call) && !arm.denied.includes(call)),
      [],
    );
    t.same(
      arm.denied.filter((call) => x86.all.has(call) && !x86.denied.includes(call)),
      [],
    );
  },
);
