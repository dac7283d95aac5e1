/** scripts/install into an empty folder: twice, then away again. */
import { spawnSync } from 'node:child_process';
import { chmod, mkdtemp, mkdir, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { arch, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const script = fileURLToPath(new URL('../../scripts/install', import.meta.url));
const folder = await mkdtemp(join(tmpdir(), 'kikitori-install-'));
t.teardown(() => rm(folder, { recursive: true, force: true }));

function install(args: readonly string[], path = process.env.PATH ?? '') {
  const { status, stdout, stderr } = spawnSync(script, args, {
    encoding: 'utf8',
    env: { ...process.env, PATH: path },
  });
  return { status, stdout, stderr };
}

const exists = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  );

/** A folder whose programs come first. */
async function withProgram(name: string, content: string): Promise<string> {
  const bin = await mkdtemp(join(folder, 'bin-'));
  await writeFile(join(bin, name), content);
  await chmod(join(bin, name), 0o755);
  return `${bin}${delimiter}${process.env.PATH ?? ''}`;
}

void t.test('install, run, install again, uninstall', async (t) => {
  const root = join(folder, 'root');
  const first = install(['--root', root]);
  t.equal(first.status, 0, first.stderr);
  const program = join(root, 'usr/lib/kikitori');
  const platforms = join(program, 'node_modules/onnxruntime-node/bin/napi-v6');
  t.same(await readdir(platforms), ['linux']);
  t.same(await readdir(join(platforms, 'linux')), [arch()], 'only the files of this platform');
  t.notOk(await exists(join(program, 'node_modules/tap')), 'nothing for development');
  t.notOk(await exists(join(program, 'test')));
  const unit = await readFile(join(root, 'etc/systemd/system/kikitori.service'), 'utf8');
  t.match(unit, /^ExecStart=\/\S+ \/usr\/lib\/kikitori\/bin\/kikitori.js run/m);
  t.equal((await stat(join(root, 'etc/kikitori/secrets'))).mode & 0o777, 0o700);
  t.match(await readFile(join(root, 'usr/local/bin/kikitori'), 'utf8'), /^#!\/bin\/sh\nexec "\//);

  const config = join(root, 'etc/kikitori/config.yaml');
  const bin = join(program, 'bin/kikitori.js');
  const check = spawnSync(process.execPath, [bin, 'config', 'check', config], { encoding: 'utf8' });
  t.equal(check.status, 0, check.stderr);
  // Loads ONNX Runtime too: what was copied is enough.
  const load = spawnSync(
    process.execPath,
    ['-e', `import('${program}/dist/src/agent/agent.js').then(() => console.log('loaded'))`],
    { encoding: 'utf8', cwd: '/' },
  );
  t.match(load.stdout, /loaded/, load.stderr);

  await writeFile(config, '# mine\n');
  await writeFile(join(program, 'old-file'), '');
  const second = install(['--root', root]);
  t.equal(second.status, 0, second.stderr);
  t.equal(await readFile(config, 'utf8'), '# mine\n', 'the configuration stays');
  t.notOk(await exists(join(program, 'old-file')), 'the program is replaced');
  t.same(await readdir(join(root, 'usr/lib')), ['kikitori'], 'nothing half-done lies about');

  t.equal(install(['--root', root, '--uninstall']).status, 0);
  t.notOk(await exists(program));
  t.notOk(await exists(join(root, 'usr/local/bin/kikitori')));
  t.ok(await exists(config), 'the configuration stays');
  t.equal(install(['--root', root, '--uninstall', '--purge']).status, 0);
  t.notOk(await exists(join(root, 'etc/kikitori')));
  t.equal(install(['--root', root, '--uninstall']).status, 0, 'also when nothing is there');
});

void t.test('--dry-run shows and changes nothing', async (t) => {
  const root = join(folder, 'dry');
  await mkdir(root);
  const { status, stdout } = install(['--root', root, '--dry-run']);
  t.equal(status, 0);
  t.match(stdout, /\+ write \S+kikitori\.service/);
  t.same(await readdir(root), []);
});

void t.test('what is not supported is refused with the reason', async (t) => {
  const root = ['--root', join(folder, 'never')];
  const arm = await withProgram('uname', '#!/bin/sh\n[ "$1" = -s ] && echo Linux || echo armv7l\n');
  const refused = install(root, arm);
  t.equal(refused.status, 1);
  t.match(refused.stderr, /32-bit ARM is not supported: ONNX Runtime/);
  const userland = await withProgram(
    'node',
    '#!/bin/sh\ncase "$*" in *versions*) echo true;; *process.arch*) echo arm;; *) echo true;; esac\n',
  );
  t.match(install(root, userland).stderr, /32-bit ARM is not supported.*the kernel is 64-bit/);
  const old = await withProgram(
    'node',
    '#!/bin/sh\ncase "$*" in *versions*) echo false;; *) echo v18.1;; esac\n',
  );
  t.match(install(root, old).stderr, /Node 20 or newer/);
  t.equal(install(['--purge']).status, 2);
  t.equal(install(['--rot', '/x']).status, 2);
  t.notOk(await exists(join(folder, 'never')));
});
