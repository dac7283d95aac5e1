/** Language model and own terms: read again only where something has changed, and told whole where something is wrong. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { Engine } from '../../src/engine/engine.js';
import { freeWordsFor, readFreeWords } from '../../src/engine/free-words.js';
import { KikitoriError } from '../../src/runtime/errors.js';
import { languageFile } from '../sim/language-bundle.js';
import { fullLexicon, tinyLexicon } from '../sim/tiny-checkpoint.js';
import { toneBundle } from '../sim/tone-model.js';

const [{ path: modelPath, folder: modelFolder }, folder] = await Promise.all([
  toneBundle(),
  mkdtemp(join(tmpdir(), 'kikitori-free-words-')),
]);
t.teardown(async () => {
  await rm(modelFolder, { recursive: true, force: true });
  await rm(folder, { recursive: true, force: true });
});
const boostPath = join(folder, 'terms');
const languageModelPath = join(folder, 'words.lm');
const files = { languageModelPath, boostPath };

const build = (text: string) => languageFile(folder, 'words', text);

void t.test('what has not changed is not compiled again', async (t) => {
  const lexicon = tinyLexicon();
  await build('stop the conveyor\n');
  await writeFile(boostPath, 'kitchen: 10\n');
  const first = await readFreeWords(lexicon, files);
  t.ok((await readFreeWords(lexicon, files, first)) === first, 'the same object');
  await writeFile(boostPath, '# the same terms\nkitchen: 10.0\n');
  t.ok((await readFreeWords(lexicon, files, first)) === first, 'the same object');
  await writeFile(boostPath, 'kitchen: 20\n');
  const other = await readFreeWords(lexicon, files, first);
  t.not(other, first);
  t.equal(other.sha256, first.sha256);
  await build('stop the light\n');
  t.not((await readFreeWords(lexicon, files, other)).sha256, other.sha256);
  t.not(
    await readFreeWords(fullLexicon(), files, other),
    other,
    'another lexicon says them otherwise',
  );
});

void t.test('for another bundle the words stay, whatever has become of the files', async (t) => {
  const lexicon = tinyLexicon();
  await build('stop the conveyor\n');
  await writeFile(boostPath, 'kitchen: 20\n');
  const known = await readFreeWords(lexicon, files);
  await rm(languageModelPath);
  t.equal(await freeWordsFor(lexicon, known), known);
  const again = await freeWordsFor(fullLexicon(), known);
  t.not(again, known);
  t.match(again, { sha256: known.sha256, boosted: known.boosted });
  t.equal(again.graph.words, known.graph.words);
});

void t.test('the sentences say whether free words are read, and all faults are told', async (t) => {
  const engine = await Engine.open({ modelPath });
  t.teardown(() => engine.close());
  const sentences = async (text: string) => {
    const path = join(folder, 'sentences.yaml');
    await writeFile(path, `intents: {A: {data: [{sentences: ["${text}"]}]}}\n`);
    return path;
  };
  let reads = 0;
  const broken = async () => {
    reads++;
    throw new KikitoriError('it is no language model', { kind: 'input', where: 'a.lm' });
  };
  const compile = (grammarPath: string, dictation = false) =>
    engine.compile({ grammarPath, dictation, freeWords: broken });
  t.equal((await compile(await sentences('stop'))).freeWords, undefined);
  t.equal(reads, 0, 'no slot: not read');
  await t.rejects(compile(await sentences('stop'), true), {
    message: 'a.lm: it is no language model',
  });
  await t.rejects(compile(await sentences('stop {dictation}')), {
    kind: 'input',
    message: /a\.lm/,
  });
  const both = {
    kind: 'grammar',
    message: /sentences\.yaml:1:\d+: .*\{none\}[^]*\na\.lm: it is no/,
  };
  await t.rejects(compile(await sentences('stop {none}')), both);
  const none = join(folder, 'none.yaml');
  await t.rejects(compile(none), { message: /none\.yaml: [^]*\na\.lm: it is no/ });
  await t.rejects(engine.compile({ grammarPath: await sentences('stop {dictation}') }), {
    message: /list \{dictation\} is not defined/,
  });
});
