/** What a process's resident memory is made of, by /proc/PID/smaps. */

export interface Mapping {
  readonly name: string;
  readonly permissions: string;
  readonly sizeKb: number;
  readonly residentKb: number;
  /** Of it what no file stands behind: written by this process alone. */
  readonly anonymousKb: number;
  readonly proportionalKb: number;
  /** Of it what was read or written since /proc/PID/clear_refs was last written to. */
  readonly touchedKb: number;
  readonly startsAt: bigint;
}

const head = /^([0-9a-f]+)-[0-9a-f]+ (\S{4}) \S+ \S+ \d+ *(.*)$/;

export function readMappings(smaps: string): Mapping[] {
  const found: { -readonly [K in keyof Mapping]: Mapping[K] }[] = [];
  for (const line of smaps.split('\n')) {
    const begins = head.exec(line);
    if (begins !== null) {
      const [, start = '', permissions = '', name = ''] = begins;
      const none = { sizeKb: 0, residentKb: 0, anonymousKb: 0, proportionalKb: 0, touchedKb: 0 };
      found.push({ name, permissions, startsAt: BigInt(`0x${start}`), ...none });
      continue;
    }
    const last = found.at(-1);
    const value = /^(\w+): +(\d+) kB$/.exec(line);
    if (last === undefined || value === null) continue;
    const kb = Number(value[2]);
    if (value[1] === 'Size') last.sizeKb = kb;
    if (value[1] === 'Rss') last.residentKb = kb;
    if (value[1] === 'Pss') last.proportionalKb = kb;
    if (value[1] === 'Referenced') last.touchedKb = kb;
    if (value[1] === 'Anonymous') last.anonymousKb = kb;
  }
  return found;
}

/** The rows of the table, in the order of it. */
export const parts = [
  'node, program text',
  'node, its own data',
  'ONNX Runtime, program text',
  'ONNX Runtime, its own data',
  'other libraries',
  'C heap (brk)',
  'V8: objects and code',
  'anonymous: buffers, network, stacks',
  'other files',
] as const;
export type Part = (typeof parts)[number];

/** V8 maps its pages in pieces of 256 KB, aligned so; within its code range and beside it. */
const v8PageBytes = 256n * 1024n;

export function partOf(mapping: Mapping): Part {
  const { name, permissions, startsAt } = mapping;
  const written = permissions[1] === 'w';
  if (/\/node$/.test(name)) return written ? 'node, its own data' : 'node, program text';
  if (/onnxruntime/.test(name))
    return written ? 'ONNX Runtime, its own data' : 'ONNX Runtime, program text';
  if (name === '[heap]') return 'C heap (brk)';
  if (/\.so(\.|$)/.test(name)) return 'other libraries';
  if (name !== '' && !name.startsWith('[')) return 'other files';
  if (startsAt % v8PageBytes === 0n && name === '') return 'V8: objects and code';
  return 'anonymous: buffers, network, stacks';
}
