import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  firstStage,
  nextStep,
  parseStages,
  planRollout,
  readChannel,
  type AutoState,
  type Stage,
} from '../../fleet/index.js';
import { FleetReader } from '../../fleet/watch/broker.js';
import { History } from '../../fleet/watch/history.js';
import { page } from '../../fleet/watch/page.js';
import { summary, table } from '../../fleet/watch/table.js';
import { FleetView, reportsOn, troubleOf, type DeviceView } from '../../fleet/watch/view.js';
import { topicPath } from '../../config/index.js';
import { atomicWrite } from '../../runtime/atomic-write.js';
import { systemClock } from '../../runtime/clock.js';
import { fileFault, KikitoriError, messageOf } from '../../runtime/errors.js';
import {
  jsonLine,
  numberOption,
  parse,
  quoted,
  usageError,
  type CommandRun,
  type Io,
} from '../shared/command.js';
import { openRepository, warn, type CommonValues } from './common.js';

export const brokerOptions = {
  broker: { type: 'string' },
  base: { type: 'string', default: 'kikitori' },
  username: { type: 'string' },
  'password-file': { type: 'string' },
  'ca-file': { type: 'string' },
} as const;

export interface BrokerValues {
  readonly broker?: string;
  readonly base?: string;
  readonly username?: string;
  readonly 'password-file'?: string;
  readonly 'ca-file'?: string;
}

/** Retained messages come at once; this long without another, and an answer, mean that all are there. */
const quietMs = 700;
const settledMsMax = 15_000;
const dayMs = 86_400_000;

async function openView(
  values: BrokerValues,
  io: Io,
  onChange: (view: DeviceView) => void = () => undefined,
) {
  if (values.broker === undefined)
    throw new KikitoriError('which broker?', { kind: 'usage', hint: 'use --broker mqtt://HOST' });
  const base = values.base ?? 'kikitori';
  try {
    topicPath.validate(base);
  } catch (error) {
    throw new KikitoriError(`${quoted(base)} is not the beginning of topics`, {
      kind: 'usage',
      where: '--base',
      expected: messageOf(error),
    });
  }
  const view = new FleetView(base);
  const link = { up: false, said: false };
  const reader = await FleetReader.open({
    url: values.broker,
    base,
    username: values.username,
    password: await secret(values['password-file'], io),
    ca: await fileText(values['ca-file'], '--ca-file'),
    clock: systemClock,
    onMessage: (topic, payload, retained) => {
      const changed = view.apply(topic, payload, retained, systemClock.now());
      if (changed !== undefined) onChange(changed);
    },
    onLink: (up, why) => {
      link.up = up;
      // Once for each time that it goes: attempts are many.
      if (!up && !link.said) io.stderr.write(`the broker is away (${why}), trying again\n`);
      link.said = !up;
    },
  });
  const settled = () => reader.settled(quietMs, settledMsMax);
  return { view, reader, settled, link };
}

async function secret(file: string | undefined, io: Io): Promise<string | undefined> {
  const text = await fileText(file, '--password-file');
  return text?.replace(/\r?\n$/, '') ?? io.env['KIKITORI_FLEET_MQTT_PASSWORD'];
}

async function fileText(path: string | undefined, option: string): Promise<string | undefined> {
  if (path === undefined) return undefined;
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new KikitoriError(fileFault(error), { kind: 'usage', where: option });
  }
}

export const status: CommandRun = async (argv, io) => {
  const usage =
    'kikitori fleet status --broker URL [--base kikitori] [--html FILE] [--username U] [--password-file FILE] [--ca-file FILE] [--json]';
  const { values } = parse(
    argv,
    { ...brokerOptions, html: { type: 'string' }, json: { type: 'boolean', default: false } },
    usage,
  );
  const { view, reader, settled } = await openView(values, io);
  try {
    await settled();
  } finally {
    await reader.close();
  }
  const devices = view.list();
  const now = systemClock.now();
  if (values.html !== undefined) await atomicWrite(values.html, page(devices, now, null), 0o644);
  if (values.json === true) for (const d of devices) jsonLine(io, { ...d, trouble: troubleOf(d) });
  else io.stdout.write(table(devices, now));
  return 0;
};

export const watch: CommandRun = async (argv, io) => {
  const usage =
    'kikitori fleet watch --broker URL [--store DIR] [--html FILE] [--every SECONDS] [--for SECONDS] [--json]';
  const { values } = parse(
    argv,
    {
      ...brokerOptions,
      store: { type: 'string' },
      html: { type: 'string' },
      every: { type: 'string', default: '10' },
      for: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
    usage,
  );
  const everyMs = 1000 * (numberOption('every', values.every) ?? 10);
  const forMs = 1000 * (numberOption('for', values.for) ?? Infinity);
  if (!(everyMs >= 200)) throw usageError('--every is too short', usage);
  const history = values.store === undefined ? undefined : await History.open(values.store);
  const stop = stopSignal();
  const { view, reader, settled } = await openView(values, io, (d) => {
    history?.add(d, systemClock.now());
    if (values.json === true) jsonLine(io, { ...d, trouble: troubleOf(d) });
  });
  const begin = systemClock.monotonic();
  let prunedMs = -Infinity;
  try {
    await settled();
    for (;;) {
      const now = systemClock.now();
      const devices = view.list();
      if (values.html !== undefined)
        await atomicWrite(values.html, page(devices, now, Math.ceil(everyMs / 1000)), 0o644);
      if (values.json !== true)
        io.stdout.write(`${process.stdout.isTTY ? '\u001b[H\u001b[2J' : ''}${table(devices, now)}`);
      if (history !== undefined && now - prunedMs > dayMs) {
        await history.prune();
        prunedMs = now;
      }
      if (history !== undefined && history.lastError !== '')
        io.stderr.write(`history is not written: ${history.lastError}\n`);
      const left = forMs - (systemClock.monotonic() - begin);
      if (left <= 0 || (await stop.within(Math.min(everyMs, left)))) return 0;
    }
  } finally {
    await reader.close();
    await history?.close();
    stop.end();
  }
};

/** SIGINT and SIGTERM end a watch in order. */
function stopSignal() {
  let stop: () => void = () => undefined;
  const stopped = new Promise<true>((resolve) => (stop = () => resolve(true)));
  process.on('SIGINT', stop).on('SIGTERM', stop);
  return {
    within: async (ms: number): Promise<boolean> => {
      let cancel: () => void = () => undefined;
      const waited = new Promise<false>((resolve) => {
        cancel = systemClock.after(ms, () => resolve(false));
      });
      const result = await Promise.race([stopped, waited]);
      cancel();
      return result;
    },
    end: () => void process.off('SIGINT', stop).off('SIGTERM', stop),
  };
}

export interface AutoValues extends CommonValues, BrokerValues {
  readonly auto: string;
  readonly after?: string;
  readonly every: number;
}

/**
 * Widens a roll-out by itself as the devices report, until it is done (0) or paused (1). Where it stands
 * is kept beside the repository, so that it may be stopped and started again.
 */
export async function autoRollout(name: string, values: AutoValues, io: Io): Promise<number> {
  const stages = parseStages((await fileText(values.auto, '--auto')) ?? '', values.auto);
  const stop = stopSignal();
  const { view, reader, settled, link } = await openView(values, io);
  try {
    for (;;) {
      // After a connection is back, retained topics come anew; half of them would be a wrong picture.
      await settled();
      const end = link.up ? await autoStep(name, stages, view, values, io) : undefined;
      if (end !== undefined) return end;
      if (await stop.within(values.every)) return 0;
    }
  } finally {
    await reader.close();
    stop.end();
  }
}

async function autoStep(
  name: string,
  stages: readonly Stage[],
  view: FleetView,
  values: AutoValues,
  io: Io,
): Promise<number | undefined> {
  const repository = await openRepository(values, io);
  const channel = await readChannel(repository, name);
  if (channel === undefined)
    throw new KikitoriError(`nothing was published to ${name} yet`, { kind: 'input' });
  const { rollout, deployment } = channel;
  const file = join(repository.places.dir, `auto-${name.replace('/', '.')}.json`);
  const now = systemClock.now();
  const known = await readAuto(file);
  const first = firstStage(stages, rollout.percent);
  let state: AutoState =
    known?.deployment === deployment
      ? { ...known, status: rollout.state === 'running' ? 'running' : known.status }
      : { deployment, stage: first, enteredAtMs: now, status: 'running' };
  const say = (what: string, why: string) => {
    const report = {
      channel: name,
      deployment,
      stage: state.stage + 1,
      of: stages.length,
      what,
      why,
    };
    if (values.json === true) jsonLine(io, report);
    else
      io.stdout.write(`${name}, step ${state.stage + 1} of ${stages.length}: ${what} (${why})\n`);
  };
  // Written before the change is: cut off between the two, the next start makes it.
  const keep = () => atomicWrite(file, `${JSON.stringify(state)}\n`);
  const upload = async () => {
    if (values.after !== undefined && !(await runAfter(values.after, io))) return;
    state = { ...state, uploadDue: false };
    await keep();
  };
  const apply = async (change: { percent?: number; state?: 'paused' }) => {
    const { edit } = await planRollout(repository, name, change);
    state = { ...state, uploadDue: true };
    await keep();
    warn(await repository.commit(edit), io);
    await upload();
  };
  /** A pause that is not uploaded stops nobody: it is tried until it is. */
  const ended = () => (state.uploadDue === true ? undefined : 1);
  if (state.uploadDue === true) await upload();
  if (rollout.state !== 'running') {
    say(rollout.state, 'by hand or by an earlier run');
    return ended();
  }
  const wanted = stages[state.stage]?.percent ?? 100;
  if (rollout.percent < wanted) {
    say(`${wanted} %`, 'the step begins');
    await apply({ percent: wanted });
    return undefined;
  }
  const step = nextStep(stages, state, reportsOn(view.list(), channel), now);
  state = step.state;
  const { action } = step;
  if (action.do === 'widen') {
    say(`${action.percent} %`, action.why);
    await apply({ percent: action.percent });
  } else if (action.do === 'pause') {
    say('paused', action.why);
    await apply({ state: 'paused' });
    return ended();
  } else {
    await keep();
    say(action.do === 'finish' ? 'done' : 'waiting', action.why);
    if (action.do === 'finish') {
      io.stderr.write(`${summary(view.list()).join('\n')}\n`);
      return 0;
    }
  }
  return undefined;
}

async function readAuto(file: string): Promise<AutoState | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as AutoState;
  } catch {
    return undefined;
  }
}

/** The manager's own upload, such as an rsync: a change that is not uploaded reaches nobody. */
async function runAfter(command: string, io: Io): Promise<boolean> {
  const status = await new Promise<number | null>((resolve) => {
    spawn(command, { shell: true, stdio: ['ignore', 'ignore', 'inherit'] })
      .on('error', () => resolve(null))
      .on('close', resolve);
  });
  if (status !== 0)
    io.stderr.write(
      `warning: --after ended with status ${String(status)}; it is run again at the next look\n`,
    );
  return status === 0;
}
