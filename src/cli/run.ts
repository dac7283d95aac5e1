import { mkdir } from 'node:fs/promises';
import { Agent } from '../agent.js';
import { loadConfig } from '../config/index.js';
import { systemClock } from '../runtime/clock.js';
import { KikitoriError, messageOf } from '../runtime/errors.js';
import { openLog } from '../runtime/log.js';
import { ServiceNotifier } from '../runtime/notify.js';
import { configPath, parse, type CommandRun } from './command.js';

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
  const path = configPath(values.config, io);
  const config = loadConfig(path, io.env);
  await makeStateFolder(config.state.dir);
  const log = openLog(config.log.level, io.env);
  let finish: (status: number) => void = () => undefined;
  const finished = new Promise<number>((resolve) => {
    finish = resolve;
  });
  const agent = await Agent.start({
    config,
    env: io.env,
    clock: systemClock,
    random: Math.random,
    log,
    notifier: new ServiceNotifier(io.env),
    onEnd: (error) => {
      if (error !== undefined)
        log.error({ event: 'audio.unreadable', why: messageOf(error) }, 'the audio cannot be read');
      finish(error === undefined ? 0 : 1);
    },
    ...(io.env['NOTIFY_SOCKET'] === undefined ? {} : { onRestart: () => finish(0) }),
  });
  process.once('SIGTERM', () => finish(0));
  process.once('SIGINT', () => finish(0));
  process.on('SIGHUP', () => {
    void reload();
  });
  async function reload(): Promise<void> {
    try {
      const restart = await agent.reconfigure(loadConfig(path, io.env));
      log.info(
        { event: 'config.reloaded', needRestart: restart },
        restart.length === 0 ? 'reloaded' : 'reloaded; some changes need a restart',
      );
    } catch (error) {
      log.error({ event: 'config.refused', why: messageOf(error) }, 'the old configuration stays');
    }
  }
  const status = await finished;
  const hard = setTimeout(() => {
    log.fatal({ event: 'agent.stop-timeout' }, 'stopping took too long');
    process.kill(process.pid, 'SIGKILL');
  }, stopTimeoutMs);
  await agent.stop();
  clearTimeout(hard);
  return status;
};

async function makeStateFolder(dir: string): Promise<void> {
  try {
    await mkdir(dir, { recursive: true });
  } catch (error) {
    throw new KikitoriError(messageOf(error), {
      kind: 'storage',
      where: dir,
      hint: 'state.dir must be a folder that this user may write',
      cause: error,
    });
  }
}
