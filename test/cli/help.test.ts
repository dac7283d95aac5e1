/** Every command and subcommand knows --help. The tree is read from the help itself. */
import t from 'tap';
import { main } from '../../src/cli/main.js';

async function help(words: readonly string[], flag: string) {
  let stdout = '';
  let stderr = '';
  const status = await main([...words, flag], {
    stdout: { write: (text: string) => (stdout += text) },
    stderr: { write: (text: string) => (stderr += text) },
    env: {},
  });
  return { status, stdout, stderr };
}

/** "grammar check|sample", "fleet key list | add": the words that follow a command in its usage. */
function below(command: string, text: string): string[] {
  const found = new Set<string>();
  for (const [, next = ''] of text.matchAll(
    new RegExp(`kikitori ${command} ([a-z][a-z-]*(?:\\|[a-z][a-z-]*)*)`, 'g'),
  ))
    for (const word of next.split('|')) found.add(word);
  return [...found];
}

void t.test('the whole tree', async (t) => {
  const top = await help([], '--help');
  const commands = [...top.stdout.matchAll(/^ {2}([a-z]+) {2,}\S/gm)].map(([, name = '']) => name);
  t.ok(commands.length >= 10);
  let count = 0;
  for (const command of commands) {
    const { stdout } = await help([command], '--help');
    for (const words of [[command], ...below(command, stdout).map((w) => [command, w])]) {
      for (const flag of ['--help', '-h']) {
        const said = await help(words, flag);
        count++;
        t.equal(said.status, 0, `${words.join(' ')} ${flag}: ${said.stderr}`);
        t.match(said.stdout, new RegExp(`usage: kikitori ${command}`), words.join(' '));
        t.equal(said.stderr, '');
      }
    }
  }
  t.ok(count > 60, `${count} looked at`);
  t.match((await help(['fleet', 'init'], '--help')).stdout, /fleet init DIR/);
  t.notMatch((await help(['fleet', 'init'], '--help')).stdout, /fleet watch/);
});
