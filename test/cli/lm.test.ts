import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { sentencesIn, spokenWords } from '../../src/cli/lm/sentences.js';
import { main } from '../../src/cli/main.js';
import { TrieModel } from '../../src/language/trie-model.js';
import { wordsOf } from '../../src/recognizer/index.js';
import { generator } from '../sim/random-text.js';

const folder = mkdtempSync(join(tmpdir(), 'kikitori-lm-test-'));
t.teardown(() => rmSync(folder, { recursive: true }));
const at = (name: string) => join(folder, name);

function file(name: string, content: string | Uint8Array): string {
  writeFileSync(at(name), content);
  return at(name);
}

async function kikitori(...argv: string[]) {
  let stdout = '';
  let stderr = '';
  const status = await main(argv, {
    stdout: { write: (text: string) => (stdout += text) },
    stderr: { write: (text: string) => (stderr += text) },
  });
  return { status, stdout, stderr };
}

const report = `The bearing of motor 3 is running hot.
Motor 3 runs at 60 °C since the morning shift.
Please check the bearing of motor 4 too.
The morning shift checks the pump.
`;

void t.test('build, info, perplexity, export, import: the same model', async (t) => {
  const text = file('report.txt', report.repeat(3));
  const built = await kikitori('lm', 'build', text, '--out', at('site.lm'), '--about', 'reports');
  t.equal(built.status, 0, built.stderr);
  t.match(built.stdout, /12 sentences, \d+ words; \d+ different ones are kept, 0\.00 % are others/);
  t.match(built.stdout, /discounts of 1-grams: 0\.500, 1\.000, 1\.500 \(assumed/);
  const model = new TrieModel(readFileSync(at('site.lm')));
  t.ok(model.numberOf('three') !== undefined, 'numbers are words');
  t.ok(model.numberOf('degrees') !== undefined, 'units are words');
  t.equal(model.numberOf('3'), undefined);

  const info = await kikitori('lm', 'info', at('site.lm'));
  t.match(info.stdout, /about: reports\n/);
  t.match(info.stdout, /order 3;/);
  const json = JSON.parse((await kikitori('lm', 'info', '--json', at('site.lm'))).stdout) as {
    counts: number[];
  };
  t.strictSame(json.counts, [...model.shape.counts]);

  const own = await kikitori('lm', 'perplexity', '--json', at('site.lm'), text);
  const other = file('other.txt', 'The quarterly results of the bank were good.\n');
  const strange = await kikitori('lm', 'perplexity', '--json', at('site.lm'), other);
  const value = (out: string) => (JSON.parse(out) as { perplexity: number }).perplexity;
  t.ok(value(own.stdout) < 4, own.stdout);
  t.ok(value(strange.stdout) > 3 * value(own.stdout));

  t.equal((await kikitori('lm', 'export', at('site.lm'), '--out', at('site.arpa.gz'))).status, 0);
  const back = await kikitori('lm', 'import', at('site.arpa.gz'), '--out', at('back.lm'));
  t.equal(back.status, 0, back.stderr);
  const again = await kikitori('lm', 'perplexity', '--json', at('back.lm'), text);
  t.ok(Math.abs(value(again.stdout) - value(own.stdout)) < 1e-3 * value(own.stdout));
  const arpa = await kikitori('lm', 'perplexity', '--json', at('site.arpa.gz'), text);
  t.ok(Math.abs(value(arpa.stdout) - value(own.stdout)) < 1e-3 * value(own.stdout));
});

void t.test('a site and a general model, mixed', async (t) => {
  const lines = (seed: number, n: number) =>
    generator(seed, 60, n)
      .text()
      .map((words) => `${words.join(' ').replace(/\d/g, (d) => 'abcdefghij'[Number(d)] ?? '')}\n`)
      .join('');
  const [general, site] = [file('general.txt', lines(1, 400)), file('site.txt', report.repeat(4))];
  const fit = file('fit.txt', report + lines(2, 4));
  await kikitori('lm', 'build', general, '--out', at('g.lm'));
  await kikitori('lm', 'build', site, '--out', at('s.lm'));
  const given = await kikitori(
    ...['lm', 'mix', at('g.lm'), at('s.lm'), '--weights', '0.3,0.7', '--out', at('m.lm')],
  );
  t.equal(given.status, 0, given.stderr);
  const [g, s, m] = ['g.lm', 's.lm', 'm.lm'].map(
    (name) => new TrieModel(readFileSync(at(name))),
  ) as [TrieModel, TrieModel, TrieModel];
  const p = (model: TrieModel, words: readonly string[]) => {
    const numbers = words.map((word) => model.numberOf(word));
    if (numbers.at(-1) === undefined) return 0;
    const context = numbers
      .slice(0, -1)
      .reduce<number>((c, word) => model.advance(c, word ?? model.unknown), model.empty);
    return Math.exp(model.lnProbability(context, numbers.at(-1) ?? 0));
  };
  for (const words of [
    ['bearing'],
    ['the', 'bearing'],
    ['the', 'morning', 'shift'],
    ['wb', 'wa'],
  ]) {
    const expected = 0.3 * p(g, words) + 0.7 * p(s, words);
    const ratio = p(m, words) / expected;
    t.ok(Math.abs(Math.log(ratio)) < 0.1, `${words.join(' ')}: ${p(m, words)} for ${expected}`);
  }
  const found = await kikitori(
    ...['lm', 'mix', at('g.lm'), at('s.lm'), '--fit', fit, '--out', at('f.lm')],
  );
  t.equal(found.status, 0, found.stderr);
  const value = async (name: string) => {
    const { stdout } = await kikitori('lm', 'perplexity', '--json', at(name), fit);
    return (JSON.parse(stdout) as { ln: number }).ln;
  };
  t.ok((await value('f.lm')) >= (await value('m.lm')) - 0.5, 'fitted weights foretell as well');
});

void t.test('to the bytes', async (t) => {
  const words = generator(5, 40, 3000).text();
  const text = file(
    'large.txt',
    words
      .map((w) => `${w.join(' ').replace(/\d/g, (d) => 'abcdefghij'[Number(d)] ?? '')}\n`)
      .join(''),
  );
  const { status, stdout } = await kikitori(
    ...['lm', 'build', text, '--out', at('small.lm'), '--bytes', '6kB'],
  );
  t.equal(status, 0);
  t.ok(readFileSync(at('small.lm')).length <= 6000, stdout);
  const none = await kikitori('lm', 'build', text, '--out', at('x.lm'), '--bytes', '10');
  t.equal(none.status, 1);
  t.match(none.stderr, /words alone take \d+ bytes/);
  t.notOk(existsSync(at('x.lm')));
});

void t.test('bad input: what is wrong and where, and nothing is written', async (t) => {
  const arpa = '\\data\\\nngram 1=3\nngram 2=1\n\n\\1-grams:\n-1 <s> -0.5\n-0.5 </s>\n-0.5 a\n\n';
  const cases: readonly (readonly [string, string | Uint8Array, RegExp, string[]])[] = [
    ['empty.txt', '', /there are no words in it/, ['build']],
    ['signs.txt', '...\n---\n', /there are no words in it/, ['build']],
    [
      'latin1.txt',
      Buffer.from('all is well\ncaf\xe9\n', 'latin1'),
      /latin1\.txt:2: .*no UTF-8/,
      ['build'],
    ],
    ['utf16.txt', Buffer.from('\ufeffabc def\n'.repeat(9), 'utf16le'), /UTF-8/, ['build']],
    [
      'russian.txt',
      'hello\n' + 'привет мир это\n'.repeat(9),
      /russian\.txt:2: 27 of 28 words .*Cyrillic/,
      ['build'],
    ],
    ['long.txt', 'word '.repeat(400_000), /long\.txt:1: a line of more than .*--prose/, ['build']],
    ['cut.gz', gzipSync(report.repeat(50)).subarray(0, 90), /gzip packing is damaged/, ['build']],
    [
      'nan.arpa',
      arpa.replace('-0.5 a', 'nan a'),
      /nan\.arpa:8: the probability is "nan"/,
      ['import'],
    ],
    [
      'back.arpa',
      arpa.replace('-1 <s> -0.5', '-1 <s>') + '\\2-grams:\n-1 <s> a\n\n\\end\\\n',
      /back\.arpa:6: "<s>" has no back-off.*--zero-backoffs/,
      ['import'],
    ],
    [
      'lies.arpa',
      arpa + '\\2-grams:\n-1 <s> a\n-1 a </s>\n\\end\\\n',
      /2 n-grams of order 2 stand in it, it says 1/,
      ['import'],
    ],
    [
      'twice.arpa',
      arpa.replace('2=1', '2=2') + '\\2-grams:\n-1 <s> a\n-2 <s> a\n\\end\\\n',
      /twice\.arpa:11: this n-gram stands twice/,
      ['import'],
    ],
    [
      'much.arpa',
      arpa.replace('-0.5 a', '-0.1 a') + '\\2-grams:\n-1 <s> a\n\\end\\\n',
      /all words have together the probability 1\.2/,
      ['import'],
    ],
    ['cut.arpa', arpa, /cut off/, ['import']],
    [
      'four.arpa',
      arpa.replace('ngram 2=1', 'ngram 2=1\nngram 3=1\nngram 4=1'),
      /of order 4, expected at most 3/,
      ['import'],
    ],
  ];
  for (const [name, content, expected, [action = '']] of cases) {
    const out = at(`${name}.lm`);
    const { status, stderr } = await kikitori('lm', action, file(name, content), '--out', out);
    t.equal(status, 1, name);
    t.match(stderr, expected, name);
    t.notOk(existsSync(out), `${name}: nothing is written`);
  }
  const zero = await kikitori(
    'lm',
    'import',
    at('back.arpa'),
    '--zero-backoffs',
    '--out',
    at('z.lm'),
  );
  t.equal(zero.status, 0, zero.stderr);
  t.strictSame(
    readdirSync(folder).filter((name) => name.endsWith('.tmp')),
    [],
  );
});

void t.test('a model that is cut off, damaged or counts wrong is refused', async (t) => {
  await kikitori('lm', 'build', file('r.txt', report), '--out', at('r.lm'));
  const whole = readFileSync(at('r.lm'));
  for (const length of [0, 10, 20, 100, whole.length - 1]) {
    const { status, stderr } = await kikitori(
      'lm',
      'info',
      file('c.lm', whole.subarray(0, length)),
    );
    t.equal(status, 1);
    t.match(stderr, /cut off|no ARPA file|ends without/, `${length} bytes`);
  }
  const damaged = Buffer.from(whole);
  damaged[whole.length - 40] = (damaged[whole.length - 40] ?? 0) ^ 4;
  t.match((await kikitori('lm', 'info', file('d.lm', damaged))).stderr, /checksum does not fit/);
  const lying = Buffer.from(
    whole.toString('latin1').replace('"counts":[', '"counts":[9'),
    'latin1',
  );
  t.match((await kikitori('lm', 'info', file('l.lm', lying))).stderr, /counts|cut off|damaged/);
  t.match((await kikitori('lm', 'info', at('none.lm'))).stderr, /no such file/);
});

void t.test('a million lines of one word', async (t) => {
  const text = file('one.txt', 'ok\n'.repeat(1_000_000));
  const { status, stdout } = await kikitori('lm', 'build', text, '--out', at('one.lm'));
  t.equal(status, 0);
  t.match(stdout, /1000000 sentences, 1000000 words/);
  const model = new TrieModel(readFileSync(at('one.lm')));
  const ok = model.numberOf('ok') ?? -1;
  t.ok(model.lnProbability(model.begin, ok) > -0.01);
});

void t.test('words of a text are those of a grammar, and plain ones are taken apart alike', (t) => {
  t.strictSame(
    spokenWords('Motor 3 weighs 60 kg, and "runs hot," he said.'),
    'motor three weighs sixty kilograms and runs hot he said'.split(' '),
  );
  const plain = ['Well-known, isn’t it?', 'He said: "go (now); or stay!"', 'One... two', 'A b C.'];
  for (const text of plain) t.strictSame(spokenWords(text), wordsOf(text), text);
  t.strictSame(sentencesIn('Mr. Smith went. Did he? "Yes." He came at 5 p.m. today.'), [
    'Mr. Smith went.',
    'Did he?',
    '"Yes."',
    'He came at 5 p.m. today.',
  ]);
  t.end();
});

void t.test('what cannot be written is said before the work', async (t) => {
  const { status, stderr, stdout } = await kikitori(
    ...['lm', 'build', file('w.txt', report), '--out', at('none/w.lm')],
  );
  t.equal(status, 1);
  t.match(stderr, /none\/w\.lm: it cannot be written .*ENOENT/);
  t.equal(stdout, '');
});

void t.test('wrong usage', async (t) => {
  const text = file('u.txt', report);
  for (const [argv, expected] of [
    [['lm'], /lm what\?/],
    [['lm', 'bild'], /did you mean lm build/],
    [['lm', 'build'], /no text is named/],
    [['lm', 'build', text], /--out is missing/],
    [['lm', 'build', text, '--out', at('u'), '--order', '4'], /from 1 to 3/],
    [['lm', 'build', text, '--out', at('u'), '--bytes', 'big'], /6MB/],
    [['lm', 'mix', at('r.lm'), '--out', at('u')], /two models/],
    [['lm', 'mix', at('r.lm'), at('r.lm'), '--weights', '1,1', '--out', at('u')], /1 together/],
  ] as const) {
    const { status, stderr } = await kikitori(...argv);
    t.equal(status, 2, argv.join(' '));
    t.match(stderr, expected);
  }
});
