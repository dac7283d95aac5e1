/** The short run of the tests: what is kept, and changes of it by a seed. No branches are counted. */
import { readCorpus, seedsOf } from './corpus.js';
import { judge, type Find } from './judge.js';
import { mutated } from './mutate.js';
import { Random } from './random.js';
import { bytesMax, type Target } from './target.js';

const cpuMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

export async function fuzzed(
  target: Target,
  { changes, changesMs }: { changes: number; changesMs: number },
): Promise<{ finds: (Find & { input: Buffer })[]; executions: number }> {
  const random = new Random(1);
  const limits = {
    words: target.words ?? [],
    text: target.text === true,
    bytesMax: bytesMax(target),
  };
  const inputs = [...(await seedsOf(target)), ...readCorpus(target).map(({ input }) => input)];
  const finds: (Find & { input: Buffer })[] = [];
  let executions = 0;
  const execute = async (input: Buffer) => {
    executions++;
    const find = await judge(target, input);
    if (find !== undefined) finds.push({ ...find, input });
  };
  for (const input of inputs) await execute(input);
  const began = cpuMs();
  // The first ones are the same on every machine; how many more there is time for is not.
  for (let i = 0; i < changes && (i < 20 || cpuMs() - began < changesMs); i++) {
    const input = random.of(inputs);
    const other = random.of(inputs);
    const structured = target.mutate !== undefined && random.chance(0.6);
    const changed = structured
      ? Buffer.from(target.mutate?.(input, random, other) ?? input)
      : mutated(input, random, other, limits);
    await execute(changed.subarray(0, limits.bytesMax));
  }
  return { finds, executions };
}
