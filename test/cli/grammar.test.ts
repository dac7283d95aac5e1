import { fileURLToPath } from 'node:url';
import t from 'tap';
import { run } from '../../src/cli/grammar/grammar.js';
import { KikitoriError } from '../../src/runtime/errors.js';
import { Child } from '../sim/process.js';
import { tinyBundle, writeTemporary } from '../sim/tiny-checkpoint.js';

const { path: model } = await tinyBundle();

async function cli(...argv: string[]) {
  const out: string[] = [];
  const err: string[] = [];
  const io = {
    stdout: { write: (text: string) => out.push(text) },
    stderr: { write: (text: string) => err.push(text) },
    env: {},
  };
  try {
    const status = await run([...argv, '--model', model], io);
    return { status, out: out.join(''), err: err.join('') };
  } catch (error) {
    if (!(error instanceof KikitoriError)) throw error;
    return { status: error.exitStatus, out: out.join(''), err: error.message };
  }
}
const lines = (text: string) =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

const sentences = `
intents:
  Speed: { data: [{ sentences: ["set speed to {n} percent"] }] }
  Start: { data: [{ sentences: ["start conveyor"] }] }
  Stop: { data: [{ sentences: ["stop conveyor"] }] }
lists: { n: { range: { from: 10, to: 12 } } }
`;

void t.test('check counts, and warns of commands that sound alike', async (t) => {
  const file = await writeTemporary('s.yaml', sentences);
  const { status, out } = await cli('check', file);
  t.equal(status, 0);
  t.match(out, /5 sentences/);
  t.match(
    out,
    /sound alike, 0\.82: "start" and "stop", as in "start conveyor" \(Start\) and "stop conveyor" \(Stop\)/,
  );
  const [json] = lines((await cli('check', file, '--json')).out);
  t.match(json, {
    ok: true,
    sentences: 5,
    confusable: [{ words: ['start', 'stop'], distance: 0.82, intents: ['Start', 'Stop'] }],
    confusableComplete: true,
  });
  t.same(lines((await cli('check', file, '--json', '--near', '0.5')).out)[0]?.confusable, []);
});

void t.test('check says all faults, with --json as an answer', async (t) => {
  const file = await writeTemporary(
    's.yaml',
    'intents:\n  A: { data: [{ sentences: ["go {x}", "(b"] }] }\n',
  );
  const { status, err } = await cli('check', file);
  t.equal(status, 1);
  t.match(err, /s\.yaml:2:\d+: list \{x\} is not defined/);
  const json = await cli('check', file, '--json');
  t.equal(json.status, 1);
  t.match(lines(json.out)[0], { ok: false, faults: [{ line: 2 }, { line: 2 }] });
});

void t.test('sample: count and seed', async (t) => {
  const file = await writeTemporary('s.yaml', sentences);
  const one = await cli('sample', file, '--count', '7', '--seed', '3', '--json');
  t.equal(lines(one.out).length, 7);
  t.same(await cli('sample', file, '--count', '7', '--seed', '3', '--json'), one);
  t.not((await cli('sample', file, '--count', '7', '--seed', '4', '--json')).out, one.out);
  t.match(
    (await cli('sample', file, '--count', '50')).out,
    /set speed to eleven percent {2}-> {2}Speed \{"n":11\}/,
  );
  t.equal((await cli('sample', file, '--count', 'x')).status, 2);
  t.equal((await cli('sample', file, '--count', '1.5')).status, 2);
});

void t.test('say: words, where they came from, and one to try', async (t) => {
  const file = await writeTemporary('s.yaml', sentences);
  const words = await writeTemporary('w.txt', 'conveyor: sounds like big hall\n');
  const { out } = await cli('say', file, '--words', words);
  t.match(out, /^conveyor +B IH G HH AO L \(user\)$/m);
  t.match(out, /^stop +S T AA P \(dictionary\)$/m);
  t.match(
    out,
    /^percent +P ER S EH N T \(dictionary\)\n  in a sentence +P ER S EH N \(cluster reduction\)$/m,
  );
  t.match(
    (await cli('say', '--word', 'PLC 12')).out,
    /^plc twelve +P IY EH L S IY T W EH L V \(spelled\+dictionary\)$/m,
  );
  const [first] = lines((await cli('say', '--word', 'five', '--json')).out);
  t.same(first, {
    word: 'five',
    pronunciations: [
      { phones: 'F AY V', source: 'dictionary' },
      { phones: 'F AY F', source: 'dictionary', form: 'devoicing' },
    ],
  });
  t.match((await cli('say', '--word', '日本')).err, /no pronunciation.*word list/);
  const bad = await writeTemporary('bad.txt', 'conveyor: K XX\n');
  const refused = await cli('say', file, '--words', bad);
  t.equal(refused.status, 1);
  t.match(refused.err, /bad\.txt:1:13: "XX" is no phone, expected some of AA AE/);
  t.equal((await cli('sing', file)).status, 2);
});

void t.test('whoever reads the output may stop reading', async (t) => {
  const file = await writeTemporary('s.yaml', sentences);
  const bin = fileURLToPath(new URL('../../bin/kikitori.js', import.meta.url));
  const command = Child.node([
    bin,
    'grammar',
    'sample',
    file,
    '--model',
    model,
    '--count',
    '20000',
  ]);
  await command.line('->');
  command.child.stdout?.destroy();
  t.equal(await command.exit(), 141, 'as SIGPIPE would');
  t.equal(command.errors, '');
});
