import { cohortOf, type ChannelFile } from '../../update/index.js';
import type { Reports } from '../auto.js';

export interface DeviceView {
  readonly device: string;
  readonly online: boolean | null;
  /** Of the newest message that was not a retained one; null: none since the watch began. */
  readonly lastSeenMs: number | null;
  readonly agentVersion: string;
  readonly model: {
    readonly name: string;
    readonly version: string;
    readonly sha256: string;
  } | null;
  /** When this model was first seen there, as far as it was watched, or as the device says. */
  readonly modelSinceMs: number | null;
  readonly health: Readonly<Record<string, number | string | boolean>>;
  readonly update: UpdateReport | null;
  /** Of the language model of free words; null where none is fetched. */
  readonly language: UpdateReport | null;
  /** `name version`, or '' where there is none or it is a file alone. */
  readonly languageModel: string;
  /** Newest event that is no good news. */
  readonly lastEvent: string;
}

export interface UpdateReport {
  readonly state: string;
  readonly progress: number | null;
  readonly deployment: string;
  readonly reason: string;
  readonly error: string;
  readonly latestVersion: string;
  readonly sinceMs: number | null;
}

/** Everything from a device is untrusted: long texts are cut, and nothing reaches a terminal that could steer it. */
const textMax = 200;
const payloadBytesMax = 64 * 1024;
const failures = ['rolled-back', 'rejected', 'failed'];

export const watchedTopics = ['state', 'info', 'health', 'update', 'language', 'event'] as const;

/** The fleet as its retained topics tell it. A change of one device returns it; what is not understood, undefined. */
export class FleetView {
  readonly devices = new Map<string, DeviceView>();
  /** Messages that were not understood, and devices beyond the limit. */
  ignored = 0;

  constructor(
    private readonly base: string,
    private readonly devicesMax = 20_000,
  ) {}

  apply(
    topic: string,
    payload: Uint8Array,
    retained: boolean,
    nowMs: number,
  ): DeviceView | undefined {
    const parsed = this.parse(topic, payload);
    if (parsed === undefined) {
      this.ignored++;
      return undefined;
    }
    const { device, kind, value } = parsed;
    const before = this.devices.get(device) ?? emptyView(device);
    const seen = retained ? before : { ...before, lastSeenMs: nowMs };
    const after = changed(seen, kind, value, retained ? null : nowMs);
    this.devices.set(device, after);
    return after;
  }

  /** Sorted by name. */
  list(): DeviceView[] {
    return [...this.devices.values()].sort((a, b) => (a.device < b.device ? -1 : 1));
  }

  private parse(topic: string, payload: Uint8Array) {
    if (!topic.startsWith(`${this.base}/`) || payload.length > payloadBytesMax) return undefined;
    const [device = '', kind = '', more] = topic.slice(this.base.length + 1).split('/');
    if (device === '' || more !== undefined) return undefined;
    if (!this.devices.has(device) && this.devices.size >= this.devicesMax) return undefined;
    if (!(watchedTopics as readonly string[]).includes(kind)) return undefined;
    try {
      const value: unknown = JSON.parse(Buffer.from(payload).toString('utf8'));
      if (typeof value !== 'object' || value === null) return undefined;
      return { device: text(device), kind, value: value as Record<string, unknown> };
    } catch {
      return undefined;
    }
  }
}

function emptyView(device: string): DeviceView {
  return {
    device: text(device),
    online: null,
    lastSeenMs: null,
    agentVersion: '',
    model: null,
    modelSinceMs: null,
    health: {},
    update: null,
    language: null,
    languageModel: '',
    lastEvent: '',
  };
}

function changed(
  view: DeviceView,
  kind: string,
  value: Readonly<Record<string, unknown>>,
  nowMs: number | null,
): DeviceView {
  switch (kind) {
    case 'state':
      return { ...view, online: value['state'] === 'online' };
    case 'info': {
      const given = (value['model'] ?? {}) as Record<string, unknown>;
      const model = {
        name: text(given['name']),
        version: text(given['version']),
        sha256: text(given['sha256']),
      };
      const same = view.model?.sha256 === model.sha256;
      const modelSinceMs = same ? view.modelSinceMs : view.model === null ? null : nowMs;
      const language = (value['languageModel'] ?? {}) as Record<string, unknown>;
      const languageModel = `${text(language['name'])} ${text(language['version'])}`.trim();
      const agentVersion = text(value['version']);
      return { ...view, agentVersion, model, modelSinceMs, languageModel };
    }
    case 'health': {
      const health: Record<string, number | string | boolean> = {};
      for (const [key, v] of Object.entries(value).slice(0, 50)) {
        if (typeof v === 'number' || typeof v === 'boolean') health[text(key)] = v;
        else if (typeof v === 'string') health[text(key)] = text(v);
        else if (Array.isArray(v)) health[text(key)] = text(v.map(text).join(' '));
      }
      return { ...view, health };
    }
    case 'update': {
      const update = reportIn(value);
      const committed = update.state === 'committed' && update.sinceMs !== null;
      return { ...view, update, ...(committed ? { modelSinceMs: update.sinceMs } : {}) };
    }
    case 'language':
      return { ...view, language: reportIn(value) };
    default: {
      const name = text(value['event'] ?? value['type']);
      return /lost|full|dropped|rolled|failed|error|rejected|set-aside|left-out/.test(name)
        ? { ...view, lastEvent: name }
        : view;
    }
  }
}

function reportIn(value: Readonly<Record<string, unknown>>): UpdateReport {
  const progress = value['progress'];
  const since = typeof value['since'] === 'string' ? Date.parse(value['since']) : NaN;
  return {
    state: text(value['state']),
    progress: typeof progress === 'number' ? progress : null,
    deployment: text(value['deployment']),
    reason: text(value['reason']),
    error: text(value['error']),
    latestVersion: text(value['latestVersion']),
    sinceMs: Number.isFinite(since) ? since : null,
  };
}

/** Printable, without control characters (a device could else write to the manager's terminal), and short. */
function text(value: unknown): string {
  if (typeof value !== 'string' && typeof value !== 'number') return '';
  return Array.from(String(value).slice(0, 4 * textMax))
    .filter((c) => !/[\p{Cc}\p{Cf}\p{Co}\p{Cs}]/u.test(c))
    .join('')
    .slice(0, textMax);
}

/** What a person should look at, the worst first. */
export function troubleOf(d: DeviceView): string[] {
  const found: string[] = [];
  if (d.online === false) found.push('offline');
  found.push(...troubleWith(d.update, ''), ...troubleWith(d.language, 'language model '));
  const {
    mic,
    dropped,
    audioLostMs,
    clockSynced,
    rtf,
    queued,
    setAside,
    brokerLacks,
    brokerRefuses,
  } = d.health;
  if (mic === 'lost' || mic === 'silent') found.push(`microphone ${mic}`);
  if (typeof rtf === 'number' && rtf >= 1) found.push('too slow for its model');
  if (typeof audioLostMs === 'number' && audioLostMs > 0)
    found.push(`${Math.ceil(audioLostMs / 1000)} s of audio lost`);
  if (typeof dropped === 'number' && dropped > 0) found.push(`${dropped} transcripts dropped`);
  if (typeof brokerLacks === 'string' && brokerLacks !== '')
    found.push(`its broker: ${brokerLacks}`);
  if (typeof brokerRefuses === 'string' && brokerRefuses !== '')
    found.push(`its broker does not let it use ${brokerRefuses}`);
  if (typeof setAside === 'number' && setAside > 0)
    found.push(`${setAside} messages set aside, which its broker does not take`);
  if (typeof queued === 'number' && queued > 1000) found.push(`${queued} transcripts waiting`);
  if (clockSynced === false) found.push('clock not set');
  if (d.lastEvent !== '' && found.length === 0) found.push(d.lastEvent);
  return found;
}

function troubleWith(report: UpdateReport | null, of: string): string[] {
  if (report === null) return [];
  const { state, reason, error } = report;
  if (failures.includes(state)) return [`${of}${state}${reason === '' ? '' : `: ${reason}`}`];
  return error === '' ? [] : [`${of}${error}`];
}

export interface Counted {
  readonly devices: number;
  readonly online: number;
  readonly troubled: number;
  /** name version -> devices */
  readonly models: ReadonlyMap<string, number>;
  /** The same of language models; devices without one are not counted. */
  readonly languageModels: ReadonlyMap<string, number>;
  /** update state -> devices */
  readonly updates: ReadonlyMap<string, number>;
  /** what to look at -> devices */
  readonly troubles: ReadonlyMap<string, number>;
}

export function count(devices: readonly DeviceView[]): Counted {
  const models = new Map<string, number>();
  const languageModels = new Map<string, number>();
  const updates = new Map<string, number>();
  const troubles = new Map<string, number>();
  const add = (map: Map<string, number>, key: string) => map.set(key, (map.get(key) ?? 0) + 1);
  for (const d of devices) {
    add(models, d.model === null ? 'unknown' : `${d.model.name} ${d.model.version}`);
    if (d.languageModel !== '') add(languageModels, d.languageModel);
    if (d.update !== null) add(updates, d.update.state);
    // Numbers in it would make one kind of each device.
    for (const trouble of troubleOf(d)) add(troubles, trouble.replace(/^\d+ /, ''));
  }
  return {
    devices: devices.length,
    online: devices.filter((d) => d.online === true).length,
    troubled: devices.filter((d) => troubleOf(d).length > 0).length,
    models,
    languageModels,
    updates,
    troubles,
  };
}

/** What the devices say about a deployment, for the automatic roll-out. */
export function reportsOn(
  devices: readonly DeviceView[],
  channel: ChannelFile,
  percent = channel.rollout.percent,
): Reports {
  // A deployment is of a model bundle or of a language model; which one, the boards say.
  const reports = new Map(
    devices.flatMap((d) => {
      const report = [d.update, d.language].find((r) => r?.deployment === channel.deployment);
      return report === null || report === undefined ? [] : [[d.device, report] as const];
    }),
  );
  const about = [...reports.values()];
  const inStep = devices.filter((d) => cohortOf(d.device, channel.deployment) < percent * 100);
  const taking = inStep.filter((d) => d.online === true);
  const both = new Set([...taking.map((d) => d.device), ...reports.keys()]);
  return {
    known: devices.length,
    offline: inStep.filter((d) => !both.has(d.device)).length,
    taking: both.size,
    committed: about.filter(({ state }) => state === 'committed').length,
    failed: about.filter((r) => failures.includes(r.state) && !transient(r)).length,
  };
}

/** A broken line says nothing about the model: the board tries again and is not finished. */
function transient({ state, reason }: UpdateReport): boolean {
  return state === 'failed' && reason === 'download-failed';
}
