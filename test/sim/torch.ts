import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const python = '/usr/bin/python3';

/** Why a test that needs PyTorch is skipped; false when it is there. Under CI its absence is a failure. */
export function noTorch(): string | false {
  const there = existsSync(python) && existsSync('/usr/lib/python3/dist-packages/torch');
  return there || process.env['CI'] === 'true' ? false : 'no python3-torch';
}

/** Runs Python that writes its files under sys.argv[1]; returns a reader of them. */
export async function runTorch(source: string): Promise<(file: string) => Promise<Uint8Array>> {
  const folder = await mkdtemp(join(tmpdir(), 'kikitori-torch-'));
  await promisify(execFile)(python, ['-W', 'ignore', '-c', source, folder], {
    timeout: 600_000,
    maxBuffer: 1 << 24,
    // Threads that wait for each other are slow on a busy machine.
    env: { ...process.env, OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1' },
  });
  return (file) => readFile(join(folder, file));
}
