/** Counts of instructions -> million a second of audio, beside those kept, and what they may mean on a board. */

/** What lies between a mark and the next. `audioS` 0: done once, at the start. */
export interface Part {
  readonly name: string;
  readonly audioS: number;
}

/** By the name of a part: million instructions, a second of audio where there is audio. */
export type Cost = Readonly<Record<string, number>>;

const million = 1e6;

/** `counts`: a line "MARK INSTRUCTIONS" for each mark. Of a part that comes several times, the last: its code is warm. */
export function costOf(parts: readonly Part[], counts: string): Cost {
  const at = new Map<number, number>();
  for (const line of counts.trim().split('\n')) {
    const [mark, instructions] = line.split(' ').map(Number);
    if (mark !== undefined && instructions !== undefined) at.set(mark, instructions);
  }
  const instructions = (mark: number): number => {
    const found = at.get(mark);
    if (found === undefined || !Number.isSafeInteger(found))
      throw new Error(`mark ${mark} was not counted; counted were:\n${counts}`);
    return found;
  };
  const cost: Record<string, number> = {
    'start Node and load': rounded(instructions(0) / million),
  };
  for (const [mark, { name, audioS }] of parts.slice(0, -1).entries()) {
    const spent = (instructions(mark + 1) - instructions(mark)) / million;
    const first = parts.findIndex((part) => part.name === name) === mark;
    const again = parts.findLastIndex((part) => part.name === name) !== mark;
    const label = first && again ? `${name}, the first time` : name;
    cost[label] = rounded(audioS === 0 ? spent : spent / audioS);
  }
  return cost;
}

const rounded = (value: number) => Number(value.toPrecision(5));

export function compared(
  cost: Cost,
  kept: Cost | undefined,
  toleranceShare: number,
): { text: string; dearer: boolean }[] {
  const width = Math.max(...Object.keys(cost).map((name) => name.length));
  return Object.entries(cost).map(([name, value]) => {
    const before = kept?.[name];
    const text = `${name.padEnd(width)} ${value.toFixed(1).padStart(9)}`;
    if (before === undefined) return { text, dearer: false };
    const share = value / before - 1;
    const changed = Math.abs(share) > toleranceShare;
    const percent = `${share < 0 ? '' : '+'}${(100 * share).toFixed(1)} %`;
    const verdict = !changed ? '' : share > 0 ? '  DEARER' : '  cheaper: keep it';
    return {
      text: `${text}  was ${before.toFixed(1).padStart(9)}  ${percent.padStart(8)}${verdict}`,
      dearer: changed && share > 0,
    };
  });
}

/**
 * Instructions a cycle are an assumption, with room: a third of what the core can begin at once (2 for the A53, which keeps
 * their order; 3 for the A72; 4 for the A76), from a quarter to a half.
 */
const cores: Readonly<Record<string, { readonly width: number }>> = {
  'cortex-a53': { width: 2 },
  'cortex-a72': { width: 3 },
  'cortex-a76': { width: 4 },
};
const [leastShare, assumedShare, mostShare] = [1 / 4, 1 / 3, 1 / 2];

const boardClocks = [
  { board: 'Raspberry Pi Zero 2 W', core: 'cortex-a53', ghz: 1.0 },
  { board: 'Raspberry Pi 3B', core: 'cortex-a53', ghz: 1.2 },
  { board: 'Raspberry Pi 3B+', core: 'cortex-a53', ghz: 1.4 },
  { board: 'Raspberry Pi 4', core: 'cortex-a72', ghz: 1.5 },
  { board: 'Raspberry Pi 4, 1.8 GHz', core: 'cortex-a72', ghz: 1.8 },
  { board: 'Raspberry Pi 5', core: 'cortex-a76', ghz: 2.4 },
];

export function boards(found: Readonly<Record<string, Cost>>): string[] {
  return boardClocks.flatMap(({ board, core, ghz }) => {
    const [cost, width] = [found[core], cores[core]?.width];
    if (cost === undefined || width === undefined) return [];
    const share = (name: string, issued: number) =>
      ((cost[name] ?? NaN) * million) / (ghz * 1e9 * width * issued);
    const range = (name: string) =>
      `${share(name, assumedShare).toFixed(3)} (${share(name, mostShare).toFixed(3)} to ${share(name, leastShare).toFixed(3)})`;
    return [
      `${board.padEnd(24)} whole ${range('whole')}, quiet ${range('whole, quiet')}, network alone ${range('network')}`,
    ];
  });
}
