/** The demo's recordings through the model that ships: each is heard as its table says. */
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import t from 'tap';
import { main } from '../../src/cli/main.js';
import { demoAudio, modelMissing } from '../sim/model.js';

void t.test('the demo', { skip: modelMissing() ?? false }, async (t) => {
  const table = await readFile(join(demoAudio, '..', 'sentences.tsv'), 'utf8');
  const rows = table
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.split('\t'));
  t.equal(rows.length, 11);
  let stdout = '';
  let stderr = '';
  const files = rows.map(([file]) => join(demoAudio, file ?? ''));
  const status = await main(['transcribe', '--json', ...files], {
    stdout: { write: (text: string) => (stdout += text) },
    stderr: { write: (text: string) => (stderr += text) },
    env: {},
  });
  t.equal(status, 0, stderr);
  const heard = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { file: string; accepted: boolean; intent: string | null });
  t.same(
    heard.map((h) => [basename(h.file), h.accepted ? h.intent : 'refused']),
    rows.map(([file, , expect]) => [file, expect]),
  );
});
