import { KikitoriError, messageOf } from '../runtime/errors.js';
import { withoutAddresses } from '../runtime/address.js';
import { nearest } from '../runtime/nearest.js';
import { quoted, type CommandRun, type Io } from './shared/command.js';

/** Every subcommand, loaded only when called. The order is the order of the help page. */
const commands: Record<string, { summary: string; load: () => Promise<CommandRun> }> = {
  run: {
    summary: 'the daemon: microphone to MQTT',
    load: async () => (await import('./run.js')).run,
  },
  transcribe: {
    summary: 'recognise audio files, one line each',
    load: async () => (await import('./transcribe.js')).run,
  },
  listen: {
    summary: 'microphone to terminal, with a level meter',
    load: async () => (await import('./listen.js')).run,
  },
  doctor: {
    summary: 'check device, microphone, model, sentences, broker, clock and disk',
    load: async () => (await import('./doctor/doctor.js')).doctor,
  },
  evaluate: {
    summary: 'accuracy, false accepts and cost on labelled recordings, clean and in noise',
    load: async () => (await import('./evaluate/evaluate.js')).run,
  },
  grammar: {
    summary: 'check, sample or say a file of sentences',
    load: async () => (await import('./grammar/grammar.js')).run,
  },
  config: {
    summary: 'check, show or describe the configuration',
    load: async () => {
      const { configCommand } = await import('./config.js');
      return (argv, io) => configCommand([...argv], io);
    },
  },
  tune: {
    summary: 'fit the device to its place from a few recordings',
    load: async () => (await import('./tune.js')).run,
  },
  model: {
    summary: 'inspect, pack, calibrate or self-test a model bundle',
    load: async () => (await import('./model/model.js')).run,
  },
  lm: {
    summary: 'make, mix and measure language models for dictation',
    load: async () => (await import('./lm/lm.js')).run,
  },
  fleet: {
    summary: 'sign and publish bundles, roll them out, watch the devices',
    load: async () => (await import('./fleet/fleet.js')).run,
  },
};

function help(): string {
  const width = Math.max(...Object.keys(commands).map((name) => name.length));
  const lines = Object.entries(commands).map(
    ([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`,
  );
  return `kikitori: on-device voice agent for machines and factories

usage: kikitori COMMAND [options]      (kikitori COMMAND --help says more)

${lines.join('\n')}

Exit status: 0 success, 1 the thing asked for failed, 2 wrong usage or bad configuration.
`;
}

async function version(): Promise<string> {
  const { agentVersion } = await import('../runtime/version.js');
  return `kikitori ${agentVersion}\n`;
}

/** Runs one command line and resolves to its exit status. Never throws for a KikitoriError. */
export async function main(argv: readonly string[], given: Partial<Io> = {}): Promise<number> {
  const io: Io = { stdout: process.stdout, stderr: process.stderr, env: process.env, ...given };
  const [name, ...rest] = argv;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    (name === undefined ? io.stderr : io.stdout).write(help());
    return name === undefined ? 2 : 0;
  }
  if (name === '--version' || name === '-V') {
    io.stdout.write(await version());
    return 0;
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) {
    const near = nearest(name, Object.keys(commands));
    const as = near === undefined ? '' : `, did you mean "${near}"?`;
    io.stderr.write(`kikitori: unknown command ${quoted(name)}${as}\n\n${help()}`);
    return 2;
  }
  try {
    return await (
      await command.load()
    )(rest, io);
  } catch (error) {
    // A fault of kikitori itself, with its stack; what Node would print beside it may be anything.
    if (!(error instanceof KikitoriError))
      throw error instanceof Error ? bare(error) : new Error(messageOf(error));
    io.stderr.write(`kikitori ${name}: ${messageOf(error)}\n`);
    return error.exitStatus;
  }
}

/** The error without its extra fields (a URL's `input`) and without addresses in its text. */
function bare(error: Error): Error {
  const clean = new Error(messageOf(error));
  clean.name = error.name;
  clean.stack = withoutAddresses(error.stack ?? `${error.name}: ${clean.message}`);
  return clean;
}
