/** Broker, recorder and playlist for the demo and the benches: everything around the daemon, on this machine alone. */
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { delimiter, join } from 'node:path';
import { Aedes } from 'aedes';

/** When the last sound of a spoken sentence was due, Unix ms. */
export interface Mark {
  readonly path: string;
  readonly endedAtMs: number;
}

export async function startBroker(): Promise<{ url: string; close: () => Promise<void> }> {
  const broker = await Aedes.createBroker();
  const server = createServer(broker.handle);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        broker.close(() => server.close(() => resolve()));
      }),
  };
}

/** An environment in which `arecord` is our player: WAV files, each followed by `pauseMs` of a quiet room. */
export async function standInRecorder(
  root: string,
  folder: string,
  files: readonly string[],
  pauseMs: number,
): Promise<NodeJS.ProcessEnv> {
  const program = join(folder, 'arecord');
  const player = join(root, 'scripts/demo-recorder.js');
  await writeFile(program, `#!/bin/sh\nexec "${process.execPath}" "${player}" "$@"\n`);
  await chmod(program, 0o755);
  const playlist = join(folder, 'playlist.txt');
  const lines = files.flatMap((file) => [file, String(pauseMs)]);
  await writeFile(playlist, `${pauseMs}\n${lines.join('\n')}\n`);
  return {
    ...process.env,
    PATH: `${folder}${delimiter}${process.env['PATH'] ?? ''}`,
    KIKITORI_DEMO_PLAYLIST: playlist,
    KIKITORI_DEMO_MARKS: join(folder, 'marks.jsonl'),
  };
}

export async function readMarks(folder: string): Promise<Mark[]> {
  const text = await readFile(join(folder, 'marks.jsonl'), 'utf8').catch(() => '');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Mark);
}

/** For each sentence the first answer after its end and before the next one's end, if any. */
export function paired<T extends { readonly atMs: number }>(
  marks: readonly Mark[],
  answers: readonly T[],
): (T | undefined)[] {
  return marks.map(({ endedAtMs }, i) => {
    const next = marks[i + 1]?.endedAtMs ?? Infinity;
    return answers.find(({ atMs }) => atMs > endedAtMs && atMs < next);
  });
}
