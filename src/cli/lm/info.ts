import { jsonLine, parse, usageError, type CommandRun } from '../shared/command.js';
import { inWords, openModel } from './models.js';

export const usage = 'kikitori lm info [--json] MODEL';

export const help = `usage: ${usage}

What a language model holds: its n-grams, its size, and what is said of the text it was made of.

  --json  one object
`;

export const run: CommandRun = async (argv, io) => {
  const { values, positionals } = parse(
    argv,
    {
      json: { type: 'boolean', default: false },
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
  if (path === undefined) throw usageError('no model is named', usage);
  const { model, trie, grams, bytes, manifest } = await openModel(path);
  const { wordPairs, tripleWord } = trie === undefined ? grams() : {};
  const counts = trie?.shape.counts ?? [
    model.size,
    wordPairs?.at(-1) ?? 0,
    tripleWord?.length ?? 0,
  ];
  const all = counts.reduce((sum, count) => sum + count, 0);
  const unknown = Math.exp(model.lnProbability(model.empty, model.unknown));
  if (values.json === true) {
    const { bits, about } = trie?.shape ?? {};
    jsonLine(io, {
      ...{ model: path, order: model.order, counts, bytes, bytesByNgram: bytes / all, bits },
      ...{ unknownProbability: unknown, about, manifest },
    });
    return 0;
  }
  if (manifest !== undefined) {
    const { name, version, licence, texts, minAgent } = manifest;
    io.stdout.write(`${name} ${version}, for kikitori ${minAgent} or newer; ${licence}\n`);
    for (const of of texts)
      io.stdout.write(`  ${String(of['name'])}: ${String(of['from'])}, ${String(of['licence'])}\n`);
  }
  io.stdout.write(`${path}: ${trie === undefined ? 'ARPA, ' : ''}${inWords(counts, bytes)}\n`);
  io.stdout.write(
    `order ${model.order}; an unknown word has the probability ${unknown.toPrecision(3)}\n`,
  );
  for (const [name, value] of Object.entries(trie?.shape.about ?? {}))
    io.stdout.write(`${name}: ${value}\n`);
  return 0;
};
