import { isBundleKind, type BundleKind, type WantedLanguageModel } from '../bundle/index.js';
import { KikitoriError, messageOf } from '../runtime/errors.js';

/** Who gets a bundle: written by the publisher for each channel, signed with the repository. */
export interface ChannelFile {
  readonly format: 1;
  readonly channel: string;
  /** Names one roll-out; the same bundle published again has another one. */
  readonly deployment: string;
  readonly bundle: {
    /** Where the repository has it. */
    readonly path: string;
    readonly name: string;
    readonly version: string;
    /** Of the .tar, as it is downloaded. */
    readonly sha256: string;
    readonly bytes: number;
    /** The oldest kikitori that can run it. */
    readonly minAgent: string;
    /** Absent: 'model'. */
    readonly kind?: BundleKind;
    /** Where free words are heard, the language model that it wants. */
    readonly languageModel?: WantedLanguageModel;
  };
  readonly rollout: {
    /** 0 to 100, with up to two decimals: a device is in when its number of 10,000 is below. */
    readonly percent: number;
    /** Devices of these groups are in whatever the percentage. */
    readonly groups: readonly string[];
    readonly state: 'running' | 'paused' | 'aborted';
  };
  /** An older version is meant: without it a device never goes back. */
  readonly downgrade: boolean;
  /** ISO 8601. */
  readonly publishedAt: string;
}

/** `stable`, or `acme/stable` of the second publisher acme. */
export const channelNamePattern = /^(?:[a-z0-9][a-z0-9-]{0,31}\/)?[a-z0-9][a-z0-9-]{0,31}$/;

type Check = (value: unknown) => string | undefined;

const matches =
  (pattern: RegExp, expected: string): Check =>
  (v) =>
    typeof v === 'string' && pattern.test(v) ? undefined : expected;
const number =
  (low: number, high: number, whole: boolean): Check =>
  (v) =>
    typeof v === 'number' && v >= low && v <= high && (!whole || Number.isInteger(v))
      ? undefined
      : `a ${whole ? 'whole ' : ''}number from ${low} to ${high}`;

const label = matches(/^[A-Za-z0-9][\w.-]{0,63}$/, 'letters, digits, _ . and -, at most 64');
const version = matches(/^\d+\.\d+\.\d+(-[\w.]+)?$/, 'a version like 1.2.3');
const name = matches(/^[\w][\w .-]{0,63}$/, 'a name of at most 64 characters');
const groups: Check = (v) =>
  Array.isArray(v) && v.length <= 1000 && v.every((g) => label(g) === undefined)
    ? undefined
    : 'a list of group names';
const relativePath: Check = (v) =>
  typeof v === 'string' &&
  v.length <= 512 &&
  /^[A-Za-z0-9][\w.-]*(\/[A-Za-z0-9][\w.-]*)*$/.test(v) &&
  !v.includes('..')
    ? undefined
    : 'a path inside the repository';

const fields: Readonly<Record<string, Check>> = {
  channel: matches(channelNamePattern, 'the name of a channel'),
  deployment: label,
  'bundle.path': relativePath,
  'bundle.name': name,
  'bundle.version': version,
  'bundle.sha256': matches(/^[0-9a-f]{64}$/, '64 hexadecimal digits'),
  'bundle.bytes': number(1, 1 << 30, true),
  'bundle.minAgent': version,
  'bundle.kind': (v) =>
    v === undefined || isBundleKind(v) ? undefined : 'model or language-model',
  'bundle.languageModel': (v) =>
    v === undefined || (name(at(v, 'name')) ?? version(at(v, 'minVersion'))) === undefined
      ? undefined
      : '{"name": a name, "minVersion": a version like 1.2.3}',
  'rollout.percent': number(0, 100, false),
  'rollout.groups': groups,
  'rollout.state': (v) =>
    v === 'running' || v === 'paused' || v === 'aborted'
      ? undefined
      : 'one of running, paused, aborted',
  downgrade: (v) => (typeof v === 'boolean' ? undefined : 'true or false'),
  publishedAt: (v) =>
    typeof v === 'string' && v.length <= 40 && Number.isFinite(Date.parse(v))
      ? undefined
      : 'a time like 2026-11-24T20:00:00Z',
};

function at(value: unknown, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>(
      (v, key) =>
        typeof v === 'object' && v !== null && Object.hasOwn(v, key)
          ? (v as Record<string, unknown>)[key]
          : undefined,
      value,
    );
}

/**
 * Reads a channel file whose signature has been checked. Every fault at once; what is not understood
 * is refused with the field's name.
 */
export function parseChannelFile(source: string, where: string): ChannelFile {
  const bad = (what: string, hint?: string) =>
    new KikitoriError(what, { kind: 'input', where, ...(hint === undefined ? {} : { hint }) });
  let value: unknown;
  try {
    value = JSON.parse(source);
  } catch (error) {
    throw bad(`not JSON: ${messageOf(error)}`);
  }
  const format = at(value, 'format');
  if (format !== 1) {
    throw bad(
      `format is ${JSON.stringify(format) ?? 'missing'}, expected 1`,
      typeof format === 'number' && format > 1
        ? 'the repository is newer than this device: update kikitori'
        : undefined,
    );
  }
  const faults = Object.entries(fields).flatMap(([path, check]) => {
    const got = at(value, path);
    const expected = check(got);
    const shown = got === undefined ? 'missing' : (JSON.stringify(got) ?? 'undefined').slice(0, 60);
    return expected === undefined ? [] : [`${path}: ${shown}, expected ${expected}`];
  });
  if (faults.length > 0) throw bad(`${faults.length} fault(s): ${faults.join('; ')}`);
  return value as ChannelFile;
}
