/** What of a Debian package can be seen without the network: its parts, laid out around a stand-in for Node and the modules. */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const checkout = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'kikitori-package-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));

function put(path: string, text = path): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

/** Node and modules as npm leaves them, in small. */
const node = join(folder, 'node-linux');
put(join(node, 'bin/node'), '#!/bin/sh\n');
chmodSync(join(node, 'bin/node'), 0o755);
put(join(node, 'LICENSE'));
put(join(node, 'include/node.h'));
const modules = join(folder, 'node_modules');
const runtime = 'onnxruntime-node/bin/napi-v6';
for (const path of [
  '.bin/tool',
  '.package-lock.json',
  'onnxruntime-node/package.json',
  'onnxruntime-node/dist/index.js',
  ...['linux/x64', 'linux/arm64', 'darwin/arm64', 'win32/x64'].map((p) => `${runtime}/${p}/lib.so`),
  'bare-fs/prebuilds/linux-x64/bare-fs.bare',
  'bare-fs/package.json',
  '@scope/one/package.json',
  '@scope/one/index.js',
  '@scope/one/index.js.map',
  '@scope/one/index.d.ts',
  '@scope/one/README.md',
  '@scope/one/LICENSE.md',
  '@scope/one/test/some.js',
  '@scope/one/lib/test/part-of-the-program.js',
  '@scope/one/.github/workflow.yml',
]) {
  const name = /^(@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? '';
  const text = path.endsWith('package.json')
    ? JSON.stringify({ name, version: '4.5.6', license: 'MIT' })
    : path;
  put(join(modules, path), text);
}

/** As npm says it of a lock file. */
const npmSbom = join(folder, 'npm.cdx.json');
const component = (name: string, version: string) => ({
  ...{ 'bom-ref': `${name}@${version}`, type: 'library', name, version },
});
put(
  npmSbom,
  JSON.stringify({
    ...{ $schema: 's', bomFormat: 'CycloneDX', specVersion: '1.5', version: 1 },
    metadata: { component: component('app', '1.2.3') },
    components: ['onnxruntime-node', '@scope/one', 'bare-fs', 'gone'].map((name) =>
      component(name, '4.5.6'),
    ),
    dependencies: [
      { ref: 'app@1.2.3', dependsOn: ['onnxruntime-node@4.5.6', '@scope/one@4.5.6'] },
      { ref: '@scope/one@4.5.6', dependsOn: ['bare-fs@4.5.6', 'gone@4.5.6'] },
    ],
  }),
);

function shell(script: string, args: readonly string[] = [], env: Record<string, string> = {}) {
  return spawnSync('bash', ['-euc', script, 'bash', ...args], {
    cwd: checkout,
    encoding: 'utf8',
    env: { ...process.env, SOURCE_DATE_EPOCH: '1700000000', SBOM: npmSbom, ...env },
  });
}

/** A package file of an architecture; not compressed, which is what takes the time. */
function made(name: string, arch: string, umask = '022'): string {
  const file = join(folder, `${name}.deb`);
  const { status, stderr } = shell(
    `umask "$5"; . scripts/lib/package.sh; prune_modules "$3"; lay_out "$1" 1.2.3 "$2" "$3" "$4"; make_deb "$4" "$6" none`,
    [arch, node, modules, join(folder, name), umask, file],
  );
  t.equal(status, 0, stderr);
  return file;
}
const deb = made('one', 'amd64');
const out = (...args: string[]) => execFileSync('dpkg-deb', args, { encoding: 'utf8' });
const root = join(folder, 'extracted');
execFileSync('dpkg-deb', ['-R', deb, root]);
const inside = (path: string) => readFileSync(join(root, path), 'utf8');

void t.test('control: every field is filled in', async (t) => {
  t.equal(
    out('-f', deb, 'Package', 'Version', 'Architecture').trim(),
    ['Package: kikitori', 'Version: 1.2.3', 'Architecture: amd64'].join('\n'),
  );
  const control = inside('DEBIAN/control');
  t.notMatch(control, '@VERSION@');
  t.notMatch(control, /@[A-Z]+@/);
  for (const name of ['libc6', 'libstdc++6', 'adduser', 'alsa-utils', 'ca-certificates', 'procps'])
    t.ok(
      out('-f', deb, 'Depends')
        .split(/,\s*/)
        .some((d) => d.trim().split(' ')[0] === name),
      name,
    );
  t.ok(Number(out('-f', deb, 'Installed-Size')) > 1000, 'kB');
  t.match(control, /^Maintainer: .+ <.+@.+>$/m);
});

void t.test('files: the program, its Node, one ONNX Runtime, and nothing else', async (t) => {
  const lines = out('-c', deb).trim().split('\n');
  t.ok(
    lines.every((line) => line.includes(' root/root ')),
    'all of root',
  );
  const files = lines.map((line) => `/${line.split(/\s+/)[5] ?? ''}`.replace('/./', '/'));
  for (const path of [
    '/usr/bin/kikitori',
    '/usr/lib/kikitori/bin/kikitori.js',
    '/usr/lib/kikitori/bin/node',
    '/usr/lib/kikitori/bin/recorder.cjs',
    '/usr/lib/kikitori/bin/confine.pl',
    '/usr/lib/kikitori/dist/src/cli/main.js',
    '/usr/lib/kikitori/models/kikitori-en/manifest.json',
    '/usr/lib/kikitori/config/sentences.yaml',
    '/usr/lib/kikitori/package.json',
    `/usr/lib/kikitori/node_modules/${runtime}/linux/x64/lib.so`,
    '/usr/lib/kikitori/node_modules/@scope/one/LICENSE.md',
    '/usr/lib/kikitori/node_modules/@scope/one/lib/test/part-of-the-program.js',
    '/usr/lib/systemd/system/kikitori.service',
    '/usr/share/doc/kikitori/copyright',
    '/usr/share/doc/kikitori/kikitori.cdx.json',
    '/usr/share/doc/kikitori/install.md',
    '/usr/share/doc/kikitori/examples/raspberry-pi-4.yaml',
    '/usr/share/man/man1/kikitori.1.gz',
    '/etc/kikitori/config.yaml',
    '/etc/kikitori/secrets/',
    '/var/lib/kikitori/',
  ])
    t.ok(files.includes(path), path);
  const unwanted =
    /\.(ts|map|safetensors|h)$|\/(darwin|win32|arm64|prebuilds|\.bin|\.github|adr)\/|\/one\/test\/|one\/README|\/usr\/local\//;
  t.same(
    files.filter((path) => unwanted.test(path)),
    [],
  );
  t.match(inside('usr/share/doc/kikitori/copyright'), /^ {2}@scope\/one 4\.5\.6: MIT$/m);
  t.match(JSON.parse(inside('usr/lib/kikitori/package.json')), {
    name: 'kikitori',
    version: '1.2.3',
  });
});

void t.test('SBOM: every package that is inside, and Node and the model', async (t) => {
  const bom = JSON.parse(inside('usr/share/doc/kikitori/kikitori.cdx.json')) as {
    bomFormat: string;
    serialNumber: string;
    metadata: { component: { name: string; version: string } };
    components: { name: string; version: string }[];
    dependencies: { ref: string; dependsOn: string[] }[];
  };
  t.equal(bom.bomFormat, 'CycloneDX');
  t.match(bom.serialNumber, /^urn:uuid:[\da-f]{8}-[\da-f]{4}-5[\da-f]{3}-8[\da-f]{3}-[\da-f]{12}$/);
  t.match(bom.metadata.component, { name: 'kikitori', version: '1.2.3' });
  const names = bom.components.map(({ name }) => name);
  t.same(names.slice(0, 3), ['onnxruntime-node', '@scope/one', 'bare-fs'], 'not what is gone');
  t.same(names.slice(3), ['node', 'kikitori-en']);
  for (const { version } of bom.components) t.match(version, /^\d+\.\d+\.\d+$/);
  t.same(bom.dependencies.at(-1)?.dependsOn, ['bare-fs@4.5.6']);
  t.same(bom.dependencies[0]?.dependsOn.slice(2), [
    `node@${bom.components[3]?.version ?? ''}`,
    `kikitori-en@${bom.components[4]?.version ?? ''}`,
  ]);
  // What it does not name is not shipped: there is no package then.
  const extra = join(folder, 'extra_modules');
  put(join(extra, 'x/package.json'), '{"name": "x", "version": "1.0.0"}');
  const lay = '. scripts/lib/package.sh; lay_out amd64 1.2.3 "$1" "$2" "$3"';
  const { status, stderr } = shell(lay, [node, extra, join(folder, 'extra')]);
  t.not(status, 0);
  t.match(stderr, /shipped, and not in what npm says of the lock file: x@1\.0\.0/);
});

void t.test('the other processor', async (t) => {
  const arm = made('arm', 'arm64');
  t.equal(out('-f', arm, 'Architecture').trim(), 'arm64');
  const list = out('-c', arm);
  t.match(list, `${runtime}/linux/arm64/lib.so`);
  t.notMatch(list, `${runtime}/linux/x64`);
});

void t.test('the same bits, whatever the folder, the umask and the time of day', async (t) => {
  const hash = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');
  t.equal(hash(made('other-folder', 'amd64', '077')), hash(deb));
});

void t.test('md5sums are of what is inside', async (t) => {
  const { status, stderr } = spawnSync('md5sum', ['--check', '--quiet', 'DEBIAN/md5sums'], {
    cwd: root,
    encoding: 'utf8',
  });
  t.equal(status, 0, stderr);
});

void t.test('configuration: conffiles, good as they are, closed to others', async (t) => {
  const conffiles = inside('DEBIAN/conffiles').trim().split('\n');
  const found = readdirSync(join(root, 'etc'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length));
  t.same(conffiles, found.sort(), 'every file under /etc');
  const check = (path: string, kind: string) =>
    spawnSync(process.execPath, ['bin/kikitori.js', kind, 'check', join(root, path)], {
      cwd: checkout,
      encoding: 'utf8',
    });
  for (const [kind, path] of [
    ['config', 'etc/kikitori/config.yaml'],
    ['grammar', 'etc/kikitori/sentences.yaml'],
  ] as const) {
    const { status, stderr } = check(path, kind);
    t.equal(status, 0, stderr);
  }
  t.match(
    inside('etc/kikitori/config.yaml'),
    /^ {2}dir: \/var\/lib\/kikitori$/m,
    'as the unit has it',
  );
  t.equal(statSync(join(root, 'etc/kikitori/secrets')).mode & 0o777, 0o700);
  t.equal(statSync(join(root, 'etc/kikitori')).mode & 0o777, 0o750);
});

void t.test("maintainer scripts and the command are shell's", async (t) => {
  for (const path of [
    ...['preinst', 'postinst', 'prerm', 'postrm'].map((name) => `DEBIAN/${name}`),
    'usr/bin/kikitori',
  ]) {
    const { status, stderr } = spawnSync('sh', ['-n', join(root, path)], { encoding: 'utf8' });
    t.equal(status, 0, stderr);
    t.equal(statSync(join(root, path)).mode & 0o777, 0o755, path);
    if (path.startsWith('DEBIAN')) t.match(inside(path), /^#!\/bin\/sh\nset -e\n/, path);
  }
});

void t.test("the unit: systemd/kikitori.service with the package's command", async (t) => {
  const unit = inside('usr/lib/systemd/system/kikitori.service');
  t.match(unit, /^ExecStart=\/usr\/bin\/kikitori run --config \/etc\/kikitori\/config.yaml$/m);
  const rest = (text: string) => text.replace(/^(ExecStart|Documentation)=.*$/gm, '');
  t.equal(rest(unit), rest(readFileSync(join(checkout, 'systemd/kikitori.service'), 'utf8')));
  // As it would be where it is installed.
  const installed = join(folder, 'kikitori.service');
  writeFileSync(installed, unit.replace('/usr/bin/kikitori', join(root, 'usr/bin/kikitori')));
  const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', installed], {
    encoding: 'utf8',
  });
  t.equal(status, 0);
  t.equal(`${stdout}${stderr}`.trim(), '');
});

void t.test('Node: one version for both processors, with checksums', async (t) => {
  const lock = JSON.parse(
    readFileSync(join(checkout, 'packaging/node/package-lock.json'), 'utf8'),
  ) as { packages: Record<string, { version?: string; integrity?: string }> };
  const both = ['x64', 'arm64'].map((cpu) => lock.packages[`node_modules/node-linux-${cpu}`]);
  for (const one of both) t.match(one?.integrity, /^sha512-/);
  t.match(both[0]?.version, /^24\.\d+\.\d+$/, 'the line that docs/install.md names');
  t.equal(both[0]?.version, both[1]?.version);
});

void t.test('npm pack: what runs, and no test, no training', async (t) => {
  const json = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: checkout,
    encoding: 'utf8',
  });
  const [packed] = JSON.parse(json) as [{ files: { path: string }[] }];
  const files = packed.files.map(({ path }) => path);
  for (const path of [
    'bin/kikitori.js',
    'dist/src/cli/main.js',
    'models/kikitori-en/manifest.json',
    'config/sentences.yaml',
    'systemd/kikitori.service',
    'scripts/install',
    'docs/install.md',
  ])
    t.ok(files.includes(path), path);
  const wanted =
    /^(bin|config|systemd|docs|models\/kikitori-en|dist\/src|src\/neighbours\/page\/static)\/|^(scripts\/install|package\.json|LICENSE|README\.md|models\/(README\.md|card\.json))$/;
  t.same(
    files.filter((path) => !wanted.test(path) || /\.(map|ts|safetensors)$/.test(path)),
    [],
  );
});

void t.test('the scripts can be run with another Node', async (t) => {
  const which = '. scripts/lib/setup.sh; require_node; command -v node; node --version';
  const own = shell(which, [], { NODE: process.execPath });
  t.match(own.stdout, /tmp\/chosen-node\/bin\/node\nv\d+/, own.stderr);
  t.equal(shell(which, [], { NODE: join(folder, 'none') }).status, 1);
  t.match(shell(which, [], { NODE: '24' }).stderr, /NODE is 24: expected packaged, or the path/);
});
