/** What a loss of power leaves of a write: removed by the next one, whoever made it. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { atomicWrite } from '../../src/runtime/atomic-write.js';

void t.test('temporary files of processes that are no more', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'kikitori-write-'));
  const other = spawn(process.execPath, ['-e', 'setTimeout(() => undefined, 1e9)']);
  t.teardown(async () => {
    other.kill('SIGKILL');
    await rm(folder, { recursive: true });
  });
  const { pid: gone } = spawnSync(process.execPath, ['-e', '0']);
  const stray = `.journal.json.${gone}.tmp`;
  const running = `.journal.json.${other.pid}.tmp`;
  const others = [
    `.statistics.json.${gone}.tmp`,
    `journal.json.${gone}.tmp`,
    '.journal.json.x.tmp',
  ];
  for (const name of [stray, running, ...others]) await writeFile(join(folder, name), 'half');
  const path = join(folder, 'journal.json');
  await atomicWrite(path, 'whole');
  t.equal(await readFile(path, 'utf8'), 'whole');
  t.same((await readdir(folder)).sort(), ['journal.json', running, ...others].sort());
  await writeFile(join(folder, stray), 'half');
  await atomicWrite(path, 'again');
  t.ok((await readdir(folder)).includes(stray), 'a process looks once for each file');
});
