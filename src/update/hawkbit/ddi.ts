/** What hawkBit's Direct Device Integration API v1 says and is told, as far as it matters here. */
import { KikitoriError, messageOf } from '../../runtime/errors.js';

/** The base resource: what there is to do, by id. */
export interface DdiBase {
  /** Time until the next poll; null when it says none that can be understood. */
  readonly sleepMs: number | null;
  readonly deploymentId: string | null;
  readonly cancelId: string | null;
  /** The server wants to know what this device is. */
  readonly wantsConfig: boolean;
}

export type Handling = 'skip' | 'attempt' | 'forced';

export interface DdiArtifact {
  readonly filename: string;
  /** '' when the server gives none. */
  readonly sha256: string;
  /** Of the software module that holds it. */
  readonly name: string;
  readonly version: string;
}

export interface DdiDeployment {
  readonly id: string;
  readonly download: Handling;
  readonly update: Handling;
  /** null: no maintenance schedule. */
  readonly window: 'available' | 'unavailable' | null;
  readonly artifacts: readonly DdiArtifact[];
}

/** One message on the feedback channel. */
export interface Feedback {
  readonly execution: 'proceeding' | 'scheduled' | 'downloaded' | 'closed' | 'rejected';
  readonly finished: 'none' | 'success' | 'failure';
  readonly percent?: number;
  readonly details: readonly string[];
}

/** Why hawkBit could not be asked or told. The codes are shown in the topic `update` as checkReason. */
export class DdiError extends KikitoriError {
  constructor(
    readonly code: string,
    what: string,
    detail: { where?: string; hint?: string; cause?: unknown } = {},
    /** The server wants no further attempt before. */
    readonly retryAfterMs = 0,
  ) {
    super(what, { kind: 'network', ...detail });
    this.name = 'DdiError';
  }
}

type Loose = Readonly<Record<string, unknown>>;
const record = (v: unknown): v is Loose => typeof v === 'object' && v !== null && !Array.isArray(v);
const list = (v: unknown): readonly unknown[] => (Array.isArray(v) ? v : []);
const at = (v: unknown, ...path: string[]): unknown =>
  path.reduce<unknown>((o, key) => (record(o) ? o[key] : undefined), v);

function parse(source: string, where: string): Loose {
  let value: unknown;
  try {
    value = JSON.parse(source);
  } catch (error) {
    throw malformed(where, messageOf(error).slice(0, 80));
  }
  if (!record(value)) throw malformed(where, 'no JSON object');
  return value;
}

const malformed = (where: string, what: string) =>
  new DdiError('hawkbit-malformed', `hawkBit's answer cannot be understood: ${what}`, { where });

/**
 * Links are read for their ids alone and built anew under the configured address: an address that the
 * server (or a proxy) makes up gets no token of ours.
 */
function idIn(link: unknown, kind: string): string | null {
  const href = at(link, 'href');
  if (typeof href !== 'string') return null;
  return new RegExp(`/${kind}/([0-9]{1,19})(?:[?/#]|$)`).exec(href.slice(0, 2000))?.[1] ?? null;
}

export function parseBase(source: string, where: string): DdiBase {
  const value = parse(source, where);
  const links = at(value, '_links');
  const base = {
    sleepMs: sleepMsOf(at(value, 'config', 'polling', 'sleep')),
    deploymentId: idIn(at(links, 'deploymentBase'), 'deploymentBase'),
    cancelId: idIn(at(links, 'cancelAction'), 'cancelAction'),
    wantsConfig: at(links, 'configData') !== undefined,
  };
  for (const [kind, id] of [
    ['deploymentBase', base.deploymentId],
    ['cancelAction', base.cancelId],
  ] as const)
    if (at(links, kind) !== undefined && id === null)
      throw malformed(where, `the link ${kind} names no action`);
  return base;
}

/** "00:05:00" */
function sleepMsOf(value: unknown): number | null {
  const match = typeof value === 'string' ? /^(\d{1,3}):([0-5]\d):([0-5]\d)$/.exec(value) : null;
  if (match === null) return null;
  return ((Number(match[1]) * 60 + Number(match[2])) * 60 + Number(match[3])) * 1000;
}

export function parseDeployment(source: string, where: string): DdiDeployment {
  const value = parse(source, where);
  const { download, update, maintenanceWindow, chunks } = record(value['deployment'])
    ? value['deployment']
    : {};
  if (!Array.isArray(chunks)) throw malformed(where, 'deployment.chunks is no list');
  return {
    id: idOf(value['id'], where),
    download: handling(download, 'deployment.download', where),
    update: handling(update, 'deployment.update', where),
    window:
      maintenanceWindow === undefined || maintenanceWindow === null
        ? null
        : maintenanceWindow === 'available'
          ? 'available'
          : 'unavailable',
    artifacts: chunks.flatMap((chunk) =>
      list(at(chunk, 'artifacts')).map((artifact) => ({
        filename: text(at(artifact, 'filename')),
        sha256: text(at(artifact, 'hashes', 'sha256')).toLowerCase(),
        name: text(at(chunk, 'name')),
        version: text(at(chunk, 'version')),
      })),
    ),
  };
}

/** Which action is to be stopped. */
export function parseCancel(source: string, where: string): string {
  return idOf(at(parse(source, where), 'cancelAction', 'stopId'), where);
}

function idOf(value: unknown, where: string): string {
  const id = typeof value === 'number' ? String(value) : value;
  if (typeof id === 'string' && /^[0-9]{1,19}$/.test(id)) return id;
  throw malformed(where, 'an id is no number');
}

function handling(value: unknown, name: string, where: string): Handling {
  if (value === 'skip' || value === 'attempt' || value === 'forced') return value;
  throw malformed(where, `${name} is ${(JSON.stringify(value) ?? 'missing').slice(0, 40)}`);
}

const text = (v: unknown) => (typeof v === 'string' ? v.slice(0, 300) : '');

/** hawkBit keeps 512 characters of a message. */
const detailMax = 500;

/** The body of a feedback. `id` is for servers before 0.3, later ones ignore it. */
export function feedbackBody(id: string, f: Feedback, nowMs: number): string {
  return JSON.stringify({
    id,
    time: new Date(nowMs).toISOString(),
    status: {
      execution: f.execution,
      result: {
        finished: f.finished,
        ...(f.percent === undefined ? {} : { progress: { cnt: f.percent, of: 100 } }),
      },
      details: f.details.filter((d) => d !== '').map((d) => d.slice(0, detailMax)),
    },
  });
}
