/** The unit file as systemd itself sees it. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const path = fileURLToPath(new URL('../../systemd/kikitori.service', import.meta.url));
const unit = readFileSync(path, 'utf8');
const folder = mkdtempSync(join(tmpdir(), 'kikitori-unit-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));

/** With the node that there is, as scripts/install writes it. */
const installed = join(folder, 'kikitori.service');
writeFileSync(installed, unit.replace('/usr/bin/node', process.execPath));

void t.test('systemd-analyze verify has nothing to say', async (t) => {
  const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', installed], {
    encoding: 'utf8',
  });
  t.equal(status, 0);
  t.equal(`${stdout}${stderr}`.trim(), '');
});

void t.test('exposure is 2.0 or less', async (t) => {
  const args = ['security', '--offline=true', '--no-pager', installed];
  const out = execFileSync('systemd-analyze', args, {
    encoding: 'utf8',
  });
  const exposure = Number(/Overall exposure level for \S+: ([\d.]+)/.exec(out)?.[1]);
  t.comment(`exposure ${exposure}`);
  t.ok(exposure <= 2.0, `${exposure}`);
});

void t.test('every switch that is left open is a line with a reason above it', async (t) => {
  const lines = unit.split('\n');
  const open = lines
    .map((line, i) => ({ line, above: lines[i - 1] ?? '' }))
    .filter(({ line }) =>
      /^(MemoryDeny|Private|Protect|ProcSubset|DeviceAllow)\S*=(no|all|char)/.test(line),
    );
  t.ok(open.length >= 4);
  for (const { line, above } of open) t.match(above, /^# /, line);
});

void t.test('what the code relies on', async (t) => {
  for (const line of [
    'Type=notify',
    'NotifyAccess=all',
    'WatchdogSec=30',
    'Restart=always',
    'RestartPreventExitStatus=2',
    'StateDirectory=kikitori',
    'LoadCredential=mqtt:/etc/kikitori/secrets',
    'LimitCORE=0',
    'NoExecPaths=/var/lib/kikitori /tmp /var/tmp',
  ])
    t.ok(unit.split('\n').includes(line), line);
});
