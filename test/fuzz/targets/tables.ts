/** Small files that people and other programs write. The first line says which; the rest is the file. */
import { parseCsv, parseNpy } from '../../../src/compress/import/series.js';
import { parseStages } from '../../../src/fleet/auto.js';
import { keyIdOf, parsePublicKey, parseSealedKey } from '../../../src/fleet/keys.js';
import { defaultSettings, parseSettings } from '../../../src/fleet/settings.js';
import { parseLabels } from '../../../src/measure/evaluate/labels.js';
import { mutateJson } from '../engine/mutate-json.js';
import { must, type Target } from '../engine/target.js';

const npy = (shape: string, values: number) => {
  const header =
    `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape}), }`.padEnd(117) + '\n';
  const begin = Buffer.from([0x93, ...Buffer.from('NUMPY'), 1, 0, header.length, 0]);
  return Buffer.concat([
    Buffer.from('npy\n'),
    begin,
    Buffer.from(header),
    Buffer.alloc(4 * values, 1),
  ]);
};

const publicKey = {
  keytype: 'ed25519',
  scheme: 'ed25519',
  keyval: { public: 'a'.repeat(64) },
} as const;
const sealed = {
  ...{
    kind: 'kikitori-fleet-key',
    format: 1,
    role: 'root',
    keyId: keyIdOf(publicKey),
    secret: '00',
  },
  kdf: { name: 'scrypt', cost: 2, blockSize: 8, parallelization: 1, salt: '00' },
  cipher: { name: 'aes-256-gcm', iv: '0'.repeat(24), tag: '0'.repeat(32) },
  public: publicKey,
};

const readers: Readonly<Record<string, (bytes: Buffer) => void>> = {
  npy: (bytes) => series(parseNpy(bytes, 'table')),
  csv: (bytes) => series(parseCsv(bytes.toString('utf8'), 'table')),
  labels: (bytes) => labels(parseLabels(bytes.toString('utf8'), 'table')),
  tsv: (bytes) => labels(parseLabels(bytes.toString('utf8'), 'table.tsv')),
  stages: (bytes) => {
    let before = 0;
    for (const { percent, minSample, success, holdMs } of parseStages(
      bytes.toString('utf8'),
      'table',
    )) {
      must(percent > before && percent <= 100, `${percent} percent after ${before}`);
      must(
        [minSample, success, holdMs].every((v) => Number.isFinite(v) && v >= 0),
        'not a number',
      );
      before = percent;
    }
  },
  settings: (bytes) => {
    const { channels, expiresDays } = parseSettings(bytes.toString('utf8'), 'table');
    must(
      channels.length > 0 &&
        Object.keys(defaultSettings.expiresDays).every((role) => expiresDays[role as 'root'] > 0),
      'no channel or no days',
    );
  },
  sealed: (bytes) => {
    const { kdf } = parseSealedKey(bytes.toString('utf8'), 'table');
    must(Number.isInteger(kdf.cost) && kdf.cost <= 2 ** 20, `a cost of ${kdf.cost}`);
  },
  public: (bytes) => {
    must(
      /^[0-9a-f]{64}$/.test(parsePublicKey(bytes.toString('utf8'), 'table').keyval.public),
      'no key',
    );
  },
};

export const target: Omit<Target, 'name'> = {
  right: 'as many numbers as the shape says; stages rise; labels name a file; keys are keys',
  covers: [
    'src/compress/import/series.ts',
    'src/fleet/auto.ts',
    'src/fleet/keys.ts',
    'src/fleet/settings.ts',
    'src/measure/evaluate/labels.ts',
  ],
  where: 'table',
  words: Object.keys(readers),
  seeds: () => [
    npy('2, 3', 6),
    npy('4,', 4),
    'csv\na,b\n1,2\n3;4\n# c\n5 6\n',
    'labels\n{"a.wav":{"intent":"Stop","slots":{"n":5}},"b.wav":null,"c.wav":"stop the conveyor"}',
    'tsv\nfile\ttext\na.wav\tstop\nb.wav\t\n',
    'stages\nstages:\n  - {percent: 5, minSample: 3}\n  - percent: 100\n    success: 99\n    holdMinutes: 60\n',
    `settings\n${JSON.stringify(defaultSettings)}`,
    `sealed\n${JSON.stringify(sealed)}`,
    `public\n${JSON.stringify({ keytype: 'ed25519', scheme: 'ed25519', keyval: { public: 'a'.repeat(64) } })}`,
  ],
  mutate: (input, random, other) => {
    const [end, from] = [input.indexOf(10) + 1, other.indexOf(10) + 1];
    return Buffer.concat([
      input.subarray(0, end),
      mutateJson(input.subarray(end), random, other.subarray(from)),
    ]);
  },
  run: (input) => {
    const end = input.indexOf(10);
    const name = input.toString('latin1', 0, Math.max(0, end));
    if (Object.hasOwn(readers, name)) readers[name]?.(input.subarray(end + 1));
  },
};

function series({ dims, data }: { dims: readonly number[]; data: ArrayLike<number> }): void {
  must(
    dims.every((d) => Number.isInteger(d) && d >= 0),
    `the shape ${dims.join()}`,
  );
  must(dims.reduce((a, b) => a * b, 1) === data.length, `${data.length} values for ${dims.join()}`);
}

function labels(all: readonly { file: string }[]): void {
  must(
    all.every(({ file }) => typeof file === 'string' && file !== ''),
    'a label of no file',
  );
}
