/** What happened on this board and is still to be seen: said only where somebody should look. */
import { execFile } from 'node:child_process';
import { readdir, readFile, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Config } from '../../config/index.js';
import { canConfine } from '../../runtime/confine.js';
import { warning, type Finding } from './finding.js';

const run = promisify(execFile);
const unit = 'kikitori.service';
const askMs = 3000;
const inodesMin = 1000;
/** Of the memory that the unit allows. */
const memoryShare = 0.85;

/** Damage that was set aside, and a disk that takes no more files. */
export async function stateFindings({ state }: Config): Promise<Finding[]> {
  const names = async (...at: string[]) =>
    readdir(join(state.dir, ...at)).catch(() => [] as string[]);
  const found: Finding[] = [];
  const damaged = (await names('outbox')).filter((name) => /^damaged-.*\.log$/.test(name));
  if (damaged.length > 0)
    found.push(
      warning(
        'outbox',
        `${damaged.length} damaged outbox set aside: ${damaged.join(', ')}; what was readable has been sent`,
        `look at ${join(state.dir, 'outbox')}, then delete it; check the disk`,
      ),
    );
  if ((await names('update')).includes('journal.json.set-aside'))
    found.push(
      warning(
        'update',
        'the journal of updates could not be read and was set aside; a new one was begun',
        `delete ${join(state.dir, 'update', 'journal.json.set-aside')}; check the disk`,
      ),
    );
  const { files, ffree } = await statfs(state.dir).catch(() => ({ files: 0, ffree: 0 }));
  // Some file systems count none.
  if (files > 0 && ffree < inodesMin)
    found.push(
      warning(
        'disk',
        `${ffree} more files fit on the disk of ${state.dir} (inodes)`,
        'delete files there: df -i and du --inodes name the place',
      ),
    );
  return found;
}

/** How the last update ended, where it did not end well, and whether the next one is tried with care. */
export async function updateFindings({ state, update }: Config): Promise<Finding[]> {
  const path = join(state.dir, 'update', 'journal.json');
  const found: Finding[] = [];
  const text = await readFile(path, 'utf8').catch(() => '{}');
  const { phase, reason, detail } = phaseIn(text);
  if (['rolled-back', 'rejected', 'failed'].includes(phase))
    found.push(
      warning(
        'update',
        `the last one is ${phase}${reason === '' ? '' : `: ${reason}`}${detail === '' ? '' : ` (${detail})`}`,
        'docs/updates.md says what each reason asks for',
      ),
    );
  if (update.url !== '' && !canConfine())
    found.push(
      warning(
        'update',
        'a new model would be tried with all that the service may do: there is no /usr/bin/perl',
        'sudo apt-get install perl-base',
      ),
    );
  return found;
}

function phaseIn(text: string): { phase: string; reason: string; detail: string } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = {};
  }
  const said = (value ?? {}) as Readonly<Record<string, unknown>>;
  const of = (name: string) => (typeof said[name] === 'string' ? said[name] : '');
  return { phase: of('phase'), reason: of('reason'), detail: of('detail') };
}

/** What systemd remembers of the service: none where there is no systemd, or another name. */
export async function serviceFindings(): Promise<Finding[]> {
  const check = 'service';
  const names = ['NRestarts', 'Result', 'ActiveState', 'MemoryCurrent', 'MemoryMax', 'LoadState'];
  const out = await run('systemctl', ['show', unit, '-p', names.join(',')], {
    timeout: askMs,
  }).then(
    ({ stdout }) => stdout,
    () => '',
  );
  const of = new Map(out.split('\n').map((line) => line.split('=', 2) as [string, string]));
  if (of.get('LoadState') !== 'loaded') return [];
  const found: Finding[] = [];
  const restarts = Number(of.get('NRestarts'));
  if (restarts > 0)
    found.push(
      warning(
        check,
        `${unit} was started again ${restarts} times without having been asked (last result: ${of.get('Result') ?? '?'})`,
        `journalctl -u ${unit} -p warning --since today; watchdog, oom-kill and core-dump are for a report`,
      ),
    );
  if (of.get('ActiveState') === 'failed')
    found.push(
      warning(check, `${unit} has failed`, `systemctl status ${unit}; then systemctl restart it`),
    );
  const [now, most] = [Number(of.get('MemoryCurrent')), Number(of.get('MemoryMax'))];
  if (now > memoryShare * most)
    found.push(
      warning(
        check,
        `it has ${Math.round(now / 1e6)} MB of the ${Math.round(most / 1e6)} MB that it may have`,
        'restart it, and report it when it comes again',
      ),
    );
  return found;
}
