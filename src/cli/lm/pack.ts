import {
  languageModelName,
  parseLanguageManifest,
  selftestSentencesMax,
  sha256,
  writeBundle,
} from '../../bundle/index.js';
import { ownPerplexity } from '../../engine/language-selftest.js';
import { readModelFile } from '../../engine/model-file.js';
import { readText } from '../../engine/read-text.js';
import { KikitoriError, messageOf } from '../../runtime/errors.js';
import { agentVersion } from '../../runtime/version.js';
import { parse, usageError, type CommandRun } from '../shared/command.js';
import { inWords, outOption } from './models.js';
import { Sentences } from './sentences.js';

export const usage =
  'kikitori lm pack MODEL --card FILE.json --selftest TEXT --out DIR|FILE.tar [--readme FILE]';

export const help = `usage: ${usage}

Makes a bundle of a language model: what "fleet publish" signs and boards fetch. The same input gives the
same bytes.

  --card      JSON with name, version, language ("en"), licence, texts (a list: name, from, licence, notice)
              and, if you like, measured
  --selftest  sentences, one a line, at most ${selftestSentencesMax}: their perplexity is measured now, and a board on which
              it is another does not take the model. Take sentences that the model was not made of
  --readme    a text that goes with it: texts, licences and the notices that they ask for
  --out       a folder, or a .tar
`;

/** Boards round alike; what differs by more was read wrongly. */
const perplexityTolerance = 0.01;

export const run: CommandRun = async (argv, io) => {
  const { values, positionals } = parse(
    argv,
    {
      card: { type: 'string' },
      selftest: { type: 'string' },
      readme: { type: 'string' },
      out: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
    usage,
    { most: 1 },
  );
  if (values.help === true) {
    io.stdout.write(help);
    return 0;
  }
  const [path] = positionals;
  const { card, selftest, readme } = values;
  if (path === undefined || typeof card !== 'string' || typeof selftest !== 'string')
    throw usageError('a model, --card and --selftest are needed', usage);
  const out = await outOption(values.out, usage);
  const given = await readCard(card);
  const { model, file } = await readModelFile(path, {
    expected: 'a language model of "kikitori lm"',
    hint: 'an ARPA file becomes one by kikitori lm import',
  });
  const sentences = await sentencesOf(selftest);
  const perplexity = ownPerplexity(model, {
    selftest: { sentences, perplexity: { min: 1, max: 1 } },
  });
  const files = new Map<string, Uint8Array>([[languageModelName, file]]);
  if (typeof readme === 'string')
    files.set('README.md', Buffer.from(await readText(readme, 'a text')));
  const manifest = {
    format: 1,
    kind: 'language-model',
    ...{ name: given['name'], version: given['version'], minAgent: agentVersion },
    ...{ language: given['language'], licence: given['licence'], texts: given['texts'] },
    files: Object.fromEntries(
      [...files].map(([name, bytes]) => [name, { sha256: sha256(bytes), bytes: bytes.length }]),
    ),
    selftest: {
      sentences,
      perplexity: {
        min: Math.max(1, rounded(perplexity * (1 - perplexityTolerance))),
        max: rounded(perplexity * (1 + perplexityTolerance)),
      },
    },
    measured: given['measured'] ?? {},
  };
  const source = `${JSON.stringify(manifest, null, 1)}\n`;
  try {
    parseLanguageManifest(source, card, agentVersion);
  } catch (error) {
    throw new KikitoriError(messageOf(error), {
      kind: 'input',
      expected: 'a card with name, version, language, licence and texts',
    });
  }
  await writeBundle(out, new Map([['manifest.json', Buffer.from(source)], ...files]));
  const { name, version } = manifest;
  io.stdout.write(
    `${out}: ${String(name)} ${String(version)}, ${inWords(model.shape.counts, file.length)}; perplexity of its ${sentences.length} sentences ${perplexity.toFixed(1)}\n`,
  );
  return 0;
};

const rounded = (value: number) => Number(value.toFixed(3));

async function readCard(path: string): Promise<Readonly<Record<string, unknown>>> {
  const text = await readText(path, 'a card in JSON');
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>;
    throw new Error('it is no object');
  } catch (error) {
    throw new KikitoriError(`it is no card: ${messageOf(error)}`, {
      kind: 'input',
      where: path,
      expected: 'JSON with name, version, language, licence and texts',
    });
  }
}

/** As words that are said, so that a board need not know how texts become words. */
async function sentencesOf(path: string): Promise<string[]> {
  const found: string[] = [];
  for await (const sentence of new Sentences().of(path)) found.push(sentence.join(' '));
  if (found.length >= 1 && found.length <= selftestSentencesMax) return found;
  throw new KikitoriError(`there are ${found.length} sentences in it`, {
    kind: 'input',
    where: path,
    expected: `1 to ${selftestSentencesMax} sentences, one a line`,
  });
}
