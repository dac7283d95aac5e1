/** Language model and own terms: read again only where something has changed, and told whole where something is wrong. */
import { readFileSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { Engine } from '../../src/engine/engine.js';
import { freeWordsFor, readFreeWords } from '../../src/engine/free-words.js';
import { readModelFile } from '../../src/engine/model-file.js';
import { Lexicon } from '../../src/recognizer/index.js';
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

void t.test('other weights take the words that are there', async (t) => {
  const lexicon = tinyLexicon();
  await build('stop the conveyor\n');
  await writeFile(boostPath, 'kitchen: 10\n');
  const first = await readFreeWords(lexicon, files);
  t.same(first.graph.weights, { language: 0.9, word: -2 });
  const weights = { language: 1.4, word: 1 };
  const other = await readFreeWords(lexicon, { ...files, weights }, first);
  t.same(other.graph.weights, weights);
  t.equal(other.graph.tree, first.graph.tree, 'nothing is compiled again');
  t.same(first.graph.weights, { language: 0.9, word: -2 }, 'what hears meanwhile is the same');
  t.ok((await readFreeWords(lexicon, { ...files, weights }, other)) === other, 'the same object');
  const part = await readFreeWords(lexicon, { ...files, weights: { word: 0 } }, other);
  t.same(part.graph.weights, { language: 0.9, word: 0 });
  const kept = await freeWordsFor(fullLexicon(), other);
  t.same(kept.graph.weights, weights, 'another bundle hears with them too');
});

void t.test('how unknown words sound is guessed once, and kept for the next start', async (t) => {
  const lexicon = Lexicon.read(
    readFileSync(new URL('../../models/kikitori-en/lexicon', import.meta.url)),
    'lexicon',
  );
  const guessesFolder = join(folder, 'state', 'guesses');
  await build('stop the zorblat\nstart the brinkelsham\n');
  await writeFile(boostPath, 'grelf: 20\n');
  const first = await readFreeWords(lexicon, { ...files, guessesFolder });
  const [name = ''] = await readdir(guessesFolder);
  const path = join(guessesFolder, name);
  const kept = await readFile(path, 'utf8');
  t.strictSame(
    kept.match(/^[a-z]+(?= \d)/gm)?.sort(),
    ['brinkelsham', 'grelf', 'zorblat'],
    'words of the dictionary are not in it',
  );
  const ways = ({ graph }: typeof first) => [...graph.tree.word].map((w) => graph.wordAt(w)).sort();
  const again = await readFreeWords(lexicon, { ...files, guessesFolder });
  t.strictSame(ways(again), ways(first));
  t.strictSame(again.graph.tree.unit, first.graph.tree.unit);

  await writeFile(path, kept.replace(/^zorblat .*$/m, 'zorblat 1,2,3'));
  const other = await readFreeWords(lexicon, { ...files, guessesFolder });
  t.notSame(other.graph.tree.unit, first.graph.tree.unit, 'what is kept is what is heard');

  await writeFile(path, kept.slice(0, -3));
  const mended = await readFreeWords(lexicon, { ...files, guessesFolder });
  t.strictSame(mended.graph.tree.unit, first.graph.tree.unit, 'cut off: guessed again');
  t.equal(await readFile(path, 'utf8'), kept);

  await writeFile(join(guessesFolder, 'older.txt'), '');
  await utimes(join(guessesFolder, 'older.txt'), 1, 1);
  await writeFile(join(guessesFolder, 'newer.txt'), '');
  await rm(path);
  await readFreeWords(lexicon, { ...files, guessesFolder });
  t.strictSame((await readdir(guessesFolder)).sort(), [name, 'newer.txt'].sort());

  await rm(guessesFolder, { recursive: true });
  await writeFile(guessesFolder, 'no folder');
  const without = await readFreeWords(lexicon, { ...files, guessesFolder });
  t.strictSame(without.graph.tree.unit, first.graph.tree.unit, 'no disk is needed');
});

void t.test('a language model that was read already is not read again', async (t) => {
  const lexicon = fullLexicon();
  await build('stop the conveyor\n');
  await writeFile(boostPath, '');
  const read = await readModelFile(languageModelPath, { expected: 'a language model' });
  const first = await readFreeWords(lexicon, files);
  await rm(languageModelPath);
  const same = await readFreeWords(lexicon, files, undefined, read);
  t.match(same, { sha256: first.sha256 });
  t.strictSame(same.graph.tree.unit, first.graph.tree.unit);
  t.equal(await readFreeWords(lexicon, files, same, read), same, 'what is known stays known');
  await t.rejects(readFreeWords(lexicon, files), KikitoriError);
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
