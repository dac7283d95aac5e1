/** One process at a time works with a folder, whatever path leads to it and however the one before ended. */
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { FolderLock, holderOf } from '../../src/runtime/lock.js';
import { Child } from '../sim/process.js';

const folder = await mkdtemp(join(tmpdir(), 'kikitori-lock-'));
t.teardown(() => rm(folder, { recursive: true, force: true }));
const at = (name: string) => join(folder, name);
const lockModule = fileURLToPath(new URL('../../dist/src/runtime/lock.js', import.meta.url));
const nowMs = Date.UTC(2026, 10, 29);

/** Another process that takes the lock, says so, and stays. */
async function other(path: string, wrap: readonly string[] = []): Promise<Child> {
  const code = `const { FolderLock } = await import(${JSON.stringify(lockModule)});
    FolderLock.take(${JSON.stringify(path)}, ${nowMs}).then(
      () => { console.log('taken'); setInterval(() => {}, 1000); },
      (error) => console.log(error.message));`;
  const [program = '', ...args] = [
    ...wrap,
    'env',
    '-u',
    'NODE_OPTIONS',
    process.execPath,
    '--input-type=module',
    '-e',
    code,
  ];
  const child = Child.run(program, args);
  t.teardown(() => child.kill());
  return child;
}

void t.test('held by one, told to the other, free when it ends by any means', async (t) => {
  const path = at('state');
  await mkdir(path);
  await symlink(path, at('link'));
  t.equal(await holderOf(path), null);
  const holder = await other(path);
  await holder.line('taken');
  const { pid = 0 } = (await holderOf(path)) ?? {};
  const said = { message: new RegExp(`process ${pid}, since 2026-11-29T00:00:00`) };
  await t.rejects(FolderLock.take(path, nowMs), said);
  await t.rejects(FolderLock.take(at('link'), nowMs), said, 'by a link');
  await t.rejects(FolderLock.take(`${path}/../state/.`, nowMs), said, 'by another path');
  t.match(await holderOf(at('link')), { pid, since: '2026-11-29T00:00:00.000Z' });
  holder.child.kill('SIGSTOP');
  t.match(await holderOf(path), { pid }, 'standing still is holding');
  await holder.kill('SIGKILL');
  t.equal(await holderOf(path), null);
  t.same(await readdir(path), ['holder.json'], 'what a killed process leaves');
  const lock = await FolderLock.take(path, nowMs);
  t.equal(lock.before, 'crash');
  t.match(await holderOf(path), { pid: process.pid });
  await t.rejects(FolderLock.take(path, nowMs), { message: /another kikitori/ });
  await lock.release();
  t.same(await readdir(path), []);
  t.equal(await holderOf(path), null);
  const orderly = await FolderLock.take(path, nowMs);
  t.equal(orderly.before, null);
  await orderly.release();
});

void t.test('a pid that is used again, another start of the board, a damaged file', async (t) => {
  const path = at('left');
  await mkdir(path);
  const lock = await FolderLock.take(path, nowMs);
  const mine = JSON.parse(await readFile(join(path, 'holder.json'), 'utf8')) as object;
  await lock.release();
  for (const content of [
    JSON.stringify({ ...mine, began: '1' }),
    JSON.stringify({ ...mine, boot: 'another' }),
    JSON.stringify({ ...mine, pid: 'x' }),
    '{',
    '',
  ]) {
    await writeFile(join(path, 'holder.json'), content);
    t.equal(await holderOf(path), null, content);
    const next = await FolderLock.take(path, nowMs);
    const sameBoot = content.includes('"boot"') && !content.includes('"another"');
    t.equal(next.before, sameBoot ? 'crash' : 'power-loss', content);
    await next.release();
  }
});

void t.test('a folder that is not there, or may not be written', async (t) => {
  const path = at('none');
  const lock = await FolderLock.take(path, nowMs);
  t.match(await holderOf(path), {});
  await t.rejects(FolderLock.take(path, nowMs), { message: /another kikitori/ });
  await lock.release();
  t.equal(await holderOf(path), null);
});

const namespaces = spawnSync('unshare', ['-n', '-m', 'true']).status === 0;
void t.test(
  'seen from another container: no name is shared, the folder is',
  { skip: namespaces ? false : 'may not unshare' },
  async (t) => {
    const path = at('shared');
    await mkdir(path);
    const holder = await other(path, ['unshare', '-n']);
    await holder.line('taken');
    await t.rejects(FolderLock.take(path, nowMs), { message: /another kikitori/ });
    await holder.kill();
    const inside = await other(path, [
      'unshare',
      '-m',
      'sh',
      '-c',
      `mkdir '${at('mounted')}' && mount --bind '${path}' '${at('mounted')}' && mount -o remount,ro,bind '${at('mounted')}' && cd / && exec "$@"`,
      'sh',
    ]);
    await inside.line('taken');
    await inside.kill();
    const lock = await FolderLock.take(path, nowMs);
    const second = await other(at('mounted'), [
      'unshare',
      '-n',
      '-m',
      'sh',
      '-c',
      `mount --bind '${path}' '${at('mounted')}' && mount -o remount,ro,bind '${at('mounted')}' && exec "$@"`,
      'sh',
    ]);
    await second.line('another kikitori works with this folder');
    await lock.release();
  },
);
