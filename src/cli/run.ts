import { Agent } from '../agent/agent.js';
import { loadConfig, reloadConfig, type Config } from '../config/index.js';
import { makeFolder } from '../runtime/atomic-write.js';
import { systemClock } from '../runtime/clock.js';
import { KikitoriError, messageOf } from '../runtime/errors.js';
import { isDiskTrouble } from '../runtime/disk-trouble.js';
import { FolderLock, type Unasked } from '../runtime/lock.js';
import { LineSink } from '../runtime/line-sink.js';
import { openLog, type Log } from '../runtime/log.js';
import { ServiceNotifier } from '../runtime/notify.js';
import { Signals, StopRequested } from '../runtime/signals.js';
import { configPath, parse, type CommandRun, type Io } from './shared/command.js';

const usage = 'kikitori run [--config FILE]';

/** The whole of a stop takes at most this. */
const stopTimeoutMs = 12_000;

/** The daemon, until SIGTERM, SIGINT, or the end of its audio when that is a file. SIGHUP reads the files again. */
export const run: CommandRun = async (argv, io) => {
  const { values } = parse(
    argv,
    { config: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
    usage,
  );
  if (values.help === true) {
    io.stdout.write(`usage: ${usage}\n`);
    return 0;
  }
  // Before anything is opened: a signal at any moment of the start is an orderly one.
  const signals = io.signals ?? new Signals();
  try {
    const path = configPath(values.config, io);
    const config = loadConfig(path, io.env);
    const sink = new LineSink();
    const log = openLog(config.log.level, io.env, sink);
    await makeStateFolder(config.state.dir);
    const lock = await FolderLock.take(config.state.dir, systemClock.now());
    try {
      return await hear(config, path, io, log, signals, lock.before, () => sink.dropped);
    } finally {
      await lock.release();
    }
  } finally {
    signals.release();
  }
};

async function hear(
  config: Config,
  path: string | undefined,
  io: Io,
  log: Log,
  signals: Signals,
  before: Unasked | null,
  logDropped: () => number,
): Promise<number> {
  const { stop } = signals;
  let finish: (status: number) => void = () => undefined;
  const finished = new Promise<number>((resolve) => {
    finish = resolve;
  });
  stop.addEventListener('abort', () => finish(0));
  if (stop.aborted) finish(0);
  const hard: { timer?: NodeJS.Timeout } = {};
  void finished.then(() => {
    hard.timer = setTimeout(() => {
      log.fatal({ event: 'agent.stop-timeout' }, 'stopping took too long');
      process.kill(process.pid, 'SIGKILL');
    }, stopTimeoutMs);
  });
  try {
    const agent = await Agent.start({
      config,
      env: io.env,
      clock: systemClock,
      random: Math.random,
      log,
      logDropped,
      before,
      notifier: new ServiceNotifier(io.env),
      stop,
      onEnd: (error) => {
        if (error !== undefined)
          log.error(
            { event: 'audio.unreadable', why: messageOf(error) },
            'the audio cannot be read',
          );
        finish(error === undefined ? 0 : 1);
      },
      ...(io.env['NOTIFY_SOCKET'] === undefined ? {} : { onRestart: () => finish(0) }),
    });
    const running = { config };
    signals.onceReady(() => reload(agent, path, running, io, log));
    const status = await finished;
    await agent.stop();
    return status;
  } catch (error) {
    if (error instanceof StopRequested) return 0;
    throw error;
  } finally {
    clearTimeout(hard.timer);
  }
}

async function reload(
  agent: Agent,
  path: string | undefined,
  running: { config: Config },
  io: Io,
  log: Log,
): Promise<void> {
  try {
    const next = reloadConfig(path, io.env, running.config);
    const restart = await agent.reconfigure(next);
    running.config = next;
    log.info(
      { event: 'config.reloaded', needRestart: restart },
      restart.length === 0 ? 'reloaded' : 'reloaded; some changes need a restart',
    );
  } catch (error) {
    log.error({ event: 'config.refused', why: messageOf(error) }, 'the old configuration stays');
  }
}

async function makeStateFolder(dir: string): Promise<void> {
  try {
    await makeFolder(dir);
  } catch (error) {
    // It hears all the same; what it cannot keep is said by whoever wants to keep it.
    if (isDiskTrouble(error)) return;
    throw new KikitoriError(messageOf(error), {
      kind: 'storage',
      where: dir,
      hint: 'state.dir must be a folder that this user may write',
      cause: error,
    });
  }
}
