import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { doneLine, LetterFile, letterLine } from '../../../src/publish/letter-file.js';
import { mutateJson } from '../engine/mutate-json.js';
import type { Random } from '../engine/random.js';
import { must, type Target } from '../engine/target.js';

const folder = mkdtempSync(join(tmpdir(), 'kikitori-fuzz-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const path = join(folder, 'outbox.log');
const aside = join(folder, 'outbox.damaged');

const letter = (n: number) =>
  letterLine(n, 1_700_000_000_000 + n, {
    topic: `a/${n}`,
    payload: { id: `${n}`, text: 'stop ä' },
  });
const log = [1, 2, 3, 4, 5].map(letter);

export const target: Omit<Target, 'name'> = {
  right:
    'of a damaged log every intact letter that is not done is kept, byte for byte; nothing else; a damaged file is set aside whole',
  covers: ['src/publish/letter-file.ts'],
  where: 'outbox',
  seeds: () => [
    log.join(''),
    log.slice(0, 3).join('') + doneLine([1, 3]) + log.slice(3).join(''),
    log.join('').slice(0, -9),
    `${log[0]}\0\0\0\0\0\n${log[1]}`,
    '',
  ],
  mutate: relined,
  run: async (input) => {
    mkdirSync(folder, { recursive: true });
    writeFileSync(path, input);
    const wanted = reference(input);
    const { file, contents } = await LetterFile.open(path, aside);
    try {
      must(
        contents.letters.length === wanted.letters.length,
        `${contents.letters.length} letters, ${wanted.letters.length} were intact`,
      );
      must(contents.badLines === wanted.bad, `${contents.badLines} bad lines, not ${wanted.bad}`);
      must(
        contents.highest === wanted.highest,
        `highest ${contents.highest}, not ${wanted.highest}`,
      );
      must(existsSync(aside) === wanted.bad > 0, 'set aside wrongly');
      for (const [i, found] of contents.letters.entries()) {
        const { topic, payload } = (await file.read(found)) ?? {};
        const said = wanted.letters[i];
        must(
          JSON.stringify([found.number, topic, payload]) === JSON.stringify(said),
          'another letter',
        );
      }
    } finally {
      await file.close();
    }
    const again = await LetterFile.open(path, aside);
    await again.file.close();
    must(again.contents.badLines === 0, 'damage is still there');
    must(
      again.contents.letters.map((l) => l.number).join() ===
        contents.letters.map((l) => l.number).join(),
      'other letters when it is opened again',
    );
    rmSync(aside, { force: true });
    must(readdirSync(folder).join() === 'outbox.log', `left: ${readdirSync(folder).join()}`);
  },
};

const check = (json: string | Buffer) =>
  createHash('sha256').update(json).digest('hex').slice(0, 8);

/** A line at a time, as its format says. */
function reference(input: Buffer) {
  const letters = new Map<number, unknown>();
  const done = new Set<number>();
  let bad = 0;
  const lines: Buffer[] = [];
  for (
    let from = 0, end = input.indexOf(10);
    end >= 0;
    from = end + 1, end = input.indexOf(10, from)
  )
    lines.push(input.subarray(from, end));
  for (const line of lines) {
    const json = line.subarray(9);
    try {
      if (line.toString('latin1', 0, 8) !== check(json)) throw new Error('no such check');
      const value = JSON.parse(json.toString()) as Record<string, unknown>;
      const { n, at = 0, topic, payload, done: numbers } = value;
      const good = (v: unknown) => typeof v === 'number' && v >= 0;
      if (Array.isArray(numbers) && numbers.every(good))
        numbers.forEach((d) => done.add(Number(d)));
      else if (
        numbers === undefined &&
        [good(n), typeof at === 'number', typeof topic === 'string'].every(Boolean) &&
        typeof payload === 'object' &&
        payload !== null &&
        !Array.isArray(payload)
      )
        letters.set(Number(n), [n, topic, payload]);
      else throw new Error('neither');
    } catch {
      bad++;
    }
  }
  const highest = Math.max(0, ...letters.keys(), ...done);
  const kept = [...letters].filter(([n]) => !done.has(n)).sort(([a], [b]) => a - b);
  return { letters: kept.map(([, l]) => l), bad, highest };
}

/** A line's content changed and its check made right; or lines moved. */
function relined(input: Buffer, random: Random, other: Buffer): Buffer {
  const lines = input.toString('latin1').split('\n');
  const theirs = other.toString('latin1').split('\n');
  const at = random.below(lines.length);
  const what = random.below(5);
  if (what === 0) lines.splice(at, 1);
  else if (what === 1) lines.splice(at, 0, random.of(theirs));
  else if (what === 2) lines.splice(at, 0, random.of(lines));
  else if (what === 3) lines[at] = (lines[at] ?? '').slice(0, random.below(80));
  else {
    const json = Buffer.from((lines[at] ?? '').slice(9), 'latin1');
    const changed = mutateJson(json, random, json);
    lines[at] = `${check(changed)} ${changed.toString('latin1')}`;
  }
  return Buffer.from(lines.join('\n'), 'latin1');
}
