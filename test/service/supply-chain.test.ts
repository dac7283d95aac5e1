/** What is shipped of others: exact, by checksum, under licences that allow it, listed, and without known faults. */
import { execFile, execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const checkout = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'kikitori-supply-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));

interface Locked {
  readonly version: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly devOptional?: boolean;
  readonly hasInstallScript?: boolean;
}
const json = <T>(path: string) => JSON.parse(readFileSync(join(checkout, path), 'utf8')) as T;
const lock = json<{ packages: Record<string, Locked> }>('package-lock.json').packages;
const shipped = Object.entries(lock).filter(
  ([path, of]) => path !== '' && !of.dev && !of.optional && !of.devOptional,
);

void t.test('each by its checksum, from the registry, in an exact version', async (t) => {
  t.ok(shipped.length > 50);
  for (const [path, { resolved, integrity }] of shipped) {
    // Without an address npm asks the registry for it.
    if (resolved !== undefined) t.match(resolved, /^https:\/\/registry\.npmjs\.org\//, path);
    t.match(integrity, /^sha512-/, path);
  }
  const wanted = json<{ dependencies: Record<string, string> }>('package.json').dependencies;
  for (const [name, version] of Object.entries(wanted)) t.match(version, /^\d+\.\d+\.\d+$/, name);
  t.match(readFileSync(join(checkout, '.npmrc'), 'utf8'), /^ignore-scripts=true$/m);
});

void t.test('each under a licence that lets it be shipped', async (t) => {
  const allowed = ['MIT', 'ISC', '0BSD', 'BSD-2-Clause', 'BSD-3-Clause', 'Apache-2.0'];
  const all = new Set([...allowed, 'BlueOak-1.0.0', 'Python-2.0', 'CC0-1.0', '(MIT OR CC0-1.0)']);
  t.same(
    shipped
      .filter(([, { license = 'none' }]) => !all.has(license))
      .map(([path, { license }]) => `${path}: ${license ?? 'none'}`),
    [],
  );
});

void t.test('the SBOM has every package and version that is shipped', async (t) => {
  const program = join(folder, 'program');
  for (const [path] of shipped) {
    const at = join(program, path, 'package.json');
    mkdirSync(dirname(at), { recursive: true });
    cpSync(join(checkout, path, 'package.json'), at);
  }
  mkdirSync(join(program, 'bin'));
  writeFileSync(join(program, 'bin/node'), '');
  cpSync(
    join(checkout, 'models/kikitori-en/manifest.json'),
    join(program, 'models/kikitori-en/manifest.json'),
  );
  // npm's --omit also leaves out what both kinds need: what is not shipped goes later.
  const what = ['sbom', '--sbom-format', 'cyclonedx'];
  const told = execFileSync('npm', [...what, '--package-lock-only'], {
    cwd: checkout,
    maxBuffer: 64e6,
  });
  writeFileSync(join(folder, 'npm.json'), told);
  const made = execFileSync(
    process.execPath,
    [
      join(checkout, 'scripts/lib/sbom.js'),
      program,
      join(folder, 'npm.json'),
      '24.0.0',
      'arm64',
      '1.2.3',
    ],
    {
      env: { ...process.env, NODE_OPTIONS: '', SOURCE_DATE_EPOCH: '1700000000' },
      encoding: 'utf8',
    },
  );
  const bom = JSON.parse(made) as {
    components: { name: string; version: string; purl?: string; hashes?: unknown[] }[];
  };
  const listed = new Set(bom.components.map(({ name, version }) => `${name}@${version}`));
  const wanted = shipped.map(
    ([path, { version }]) => `${path.split('node_modules/').at(-1) ?? ''}@${version}`,
  );
  t.same(
    wanted.filter((one) => !listed.has(one)),
    [],
  );
  t.equal(listed.size, new Set(wanted).size + 2, 'and nothing else but Node and the model');
  for (const { name, hashes } of bom.components) t.ok((hashes?.length ?? 0) > 0, name);
});

/** Known faults of what is shipped, from `high` on; null: the registry does not answer. */
async function audit(registry?: string): Promise<string[] | null> {
  const where = registry === undefined ? [] : [`--registry=${registry}`];
  const args = ['audit', '--omit=dev', '--omit=optional', '--json', '--fetch-retries=0', ...where];
  const out = await new Promise<string>((resolve) => {
    execFile('npm', args, { cwd: checkout, timeout: 120_000 }, (_, stdout) => resolve(stdout));
  });
  let said: { vulnerabilities?: Record<string, { severity: string }> };
  try {
    said = JSON.parse(out) as typeof said;
  } catch {
    return null;
  }
  if (said.vulnerabilities === undefined) return null;
  return Object.entries(said.vulnerabilities)
    .filter(([, { severity }]) => ['high', 'critical'].includes(severity))
    .map(([name, { severity }]) => `${name}: ${severity}`);
}

void t.test('npm audit: nothing high or critical, where the registry answers', async (t) => {
  const found = await audit();
  if (found === null) return t.comment('skipped: the registry answers no audit here');
  t.same(found, []);
});

void t.test('a registry with an advisory is red; one that refuses or is away is not', async (t) => {
  let answer: object | null = null;
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      response.statusCode = request.method === 'GET' ? 404 : answer === null ? 405 : 200;
      response.setHeader('content-type', 'application/json').end(JSON.stringify(answer ?? {}));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  t.equal(await audit(url), null, 'it refuses');
  const advisory = { id: 1, title: 'a fault', severity: 'high', vulnerable_versions: '<99' };
  answer = { mqtt: [{ ...advisory, url: 'https://example.com/1' }] };
  t.same(await audit(url), ['mqtt: high']);
  await new Promise((resolve) => server.close(resolve));
  t.equal(await audit(url), null, 'it is away');
});
