/** The search: inputs that reach something new are kept and changed further. */
import { Branches } from './branches.js';
import { readCorpus, seedsOf, type Kept } from './corpus.js';
import { judge, type Find } from './judge.js';
import { mutated } from './mutate.js';
import { Random } from './random.js';
import { bytesMax, type Target } from './target.js';

export interface Fuzzed {
  readonly executions: number;
  readonly processorMs: number;
  readonly finds: readonly (Find & { readonly input: Buffer })[];
  /** What to keep: little, and together it runs every branch that was run. */
  readonly kept: readonly Kept[];
  readonly coverage: readonly { file: string; ran: number; of: number }[];
}

export interface LoopOptions {
  readonly seconds: number;
  readonly seed: number;
  /** Told of each input before it is run. */
  readonly before?: (input: Buffer) => void;
  readonly onFind?: (find: Find, input: Buffer) => void;
  readonly branches?: Branches;
  /** Different ones; then it ends. */
  readonly findsMax?: number;
}

interface Entry {
  readonly input: Buffer;
  /** Times it was changed. */
  used: number;
}

/** Of what is kept in the repository, without what was found. */
const keptBytesMax = 24 * 1024;
const findsMax = 50;

const cpuMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

export async function fuzz(target: Target, o: LoopOptions): Promise<Fuzzed> {
  const random = new Random(o.seed);
  const { branches } = o;
  const words = [...(target.words ?? []), ...(branches?.texts(target.covers) ?? [])];
  const limits = { words, text: target.text === true, bytesMax: bytesMax(target) };
  const entries: Entry[] = [];
  const finds = new Map<string, Find & { input: Buffer }>();
  const pinned = readCorpus(target).filter(({ found }) => found !== undefined);
  let executions = 0;

  const execute = async (input: Buffer): Promise<boolean> => {
    o.before?.(input);
    branches?.clear();
    const find = await judge(target, input);
    executions++;
    if (find !== undefined) {
      const known = finds.get(find.key);
      if (known === undefined || known.input.length > input.length)
        finds.set(find.key, { ...find, input });
      if (known === undefined) o.onFind?.(find, input);
      return false;
    }
    return branches?.look() !== undefined;
  };

  const began = cpuMs();
  for (const input of [...(await seedsOf(target)), ...readCorpus(target).map((k) => k.input)]) {
    await execute(input);
    entries.push({ input, used: 0 });
  }
  while (cpuMs() - began < o.seconds * 1000 && finds.size < (o.findsMax ?? findsMax)) {
    const entry = chosen(entries, random);
    entry.used++;
    const other = random.of(entries).input;
    const structured = target.mutate !== undefined && random.chance(0.6);
    let input = structured
      ? Buffer.from(target.mutate?.(entry.input, random, other) ?? entry.input)
      : entry.input;
    if (!structured || random.chance(0.15)) input = mutated(input, random, other, limits);
    input = input.subarray(0, limits.bytesMax);
    if (await execute(input)) entries.push({ input, used: 0 });
    // Timers, and what waits for the event loop.
    if (executions % 512 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  const processorMs = cpuMs() - began;
  const coverage = branches?.coverage(target.covers) ?? [];
  const kept =
    branches === undefined ? [] : await smallest(target, entries, branches, pinned, o.before);
  return { executions, processorMs, finds: [...finds.values()], kept, coverage };
}

/** Of three the one that was used least: what came last and what is seldom used have their turn. */
function chosen(entries: readonly Entry[], random: Random): Entry {
  let best = random.of(entries);
  for (let i = 0; i < 2; i++) {
    const another = random.chance(0.3)
      ? (entries[entries.length - random.size(Math.min(entries.length, 32))] ?? best)
      : random.of(entries);
    if (another.used < best.used) best = another;
  }
  return best;
}

/** The shortest inputs first: each is kept that runs a branch of which none before it ran. Seeds need no keeping. */
async function smallest(
  target: Target,
  entries: readonly Entry[],
  branches: Branches,
  pinned: readonly Kept[],
  before: LoopOptions['before'],
): Promise<Kept[]> {
  const have = new Set<number>();
  const ranBy = async (input: Buffer) => {
    before?.(input);
    branches.clear();
    await judge(target, input);
    return branches.ran();
  };
  for (const seed of await seedsOf(target)) for (const b of await ranBy(seed)) have.add(b);
  for (const { input } of pinned) for (const b of await ranBy(input)) have.add(b);
  const kept = [...pinned];
  let bytes = 0;
  for (const { input } of entries.toSorted((a, b) => a.input.length - b.input.length)) {
    if (bytes + input.length > keptBytesMax) break;
    const fresh = (await ranBy(input)).filter((b) => !have.has(b));
    if (fresh.length === 0) continue;
    for (const b of fresh) have.add(b);
    kept.push({ input });
    bytes += input.length;
  }
  return kept;
}
