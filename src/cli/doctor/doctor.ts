import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, mkdir, open, rm, statfs } from 'node:fs/promises';
import { arch, platform } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { clockSynced, siteOf } from '../../agent/board.js';
import { Capture } from '../../capture/index.js';
import { loadConfig, type Config } from '../../config/index.js';
import { Engine, hearOwnClip } from '../../engine/engine.js';
import type { GrammarDetails } from '../../recognizer/index.js';
import { systemClock } from '../../runtime/clock.js';
import { withoutAddresses } from '../../runtime/address.js';
import { messageOf } from '../../runtime/errors.js';
import { holderOf } from '../../runtime/lock.js';
import { agentVersion } from '../../runtime/version.js';
import {
  configOptions,
  configPath,
  jsonLine,
  parse,
  type CommandRun,
  type Io,
} from '../shared/command.js';
import { brokerCheck } from './broker.js';
import { homeAssistantFindings, sparkplugFindings } from './brokered.js';
import { dictationFindings } from './dictation.js';
import { feedbackFindings } from './feedback.js';
import { failed, ok, warning, type Finding } from './finding.js';
import { metricsFindings, pageFindings, wyomingFindings } from './listeners.js';
import { serviceFindings, stateFindings, updateFindings } from './history.js';
import { cardsAmong, isListed, isProgram, soundDevices } from './programs.js';
import { secretFindings } from './secrets.js';

const usage = 'kikitori doctor [--config FILE] [--json]';

const recordMs = 1000;
const microphoneLimitMs = 5000;
const quietDb = -70;
const loudDb = -1;
/** More than this leaves too little of a core for a spike. */
const slowFactor = 0.5;

const run = promisify(execFile);

async function platformCheck(): Promise<Finding> {
  const what = `kikitori ${agentVersion}, Node ${process.versions.node}, ${platform()} ${arch()}`;
  if (platform() !== 'linux' || !['arm64', 'x64'].includes(arch()))
    return failed('platform', what, 'Linux on arm64 or x64 is needed');
  return ok('platform', what);
}

async function deviceCheck(config: Config, io: Io): Promise<Finding> {
  const { source, recorder, device, path } = config.capture;
  if (source === 'file')
    return access(path, constants.R_OK).then(
      () => ok('device', `plays ${path}`),
      () => failed('device', `${path} cannot be read`, 'set capture.path to a sound file'),
    );
  if (source === 'stdin') return ok('device', 'standard input');
  if (source === 'none') return ok('device', 'none: it hears for others');
  if (!(await isProgram(recorder, io.env)))
    return failed(
      'device',
      `${recorder} is not installed`,
      recorder === 'arecord' ? 'sudo apt-get install alsa-utils' : 'sudo apt-get install sox',
    );
  if (/^(plug)?hw:\d/.test(device))
    return warning(
      'device',
      `${device} is a number, which may be another card after a reboot`,
      'name it by its card, like plughw:CARD=Device (arecord -L lists them)',
    );
  if (recorder !== 'arecord' || device === '')
    return ok('device', device === '' ? `${recorder}, the default device` : device);
  const names = await soundDevices('arecord');
  if (isListed(device, names)) return ok('device', device);
  const known = cardsAmong(names);
  return failed(
    'device',
    `there is no ${device}`,
    known.length === 0
      ? 'no sound card is seen: plug it in, and add this user to the group audio'
      : `set capture.device to one of: ${known.join('  ')}`,
  );
}

/** Records for a second through the daemon's own capture. */
async function microphoneCheck(config: Config): Promise<Finding> {
  const name = 'microphone';
  if (config.capture.source !== 'recorder') return ok(name, 'not used');
  const rateHz = 16_000;
  let peak = 0;
  let samples = 0;
  let why = '';
  await new Promise<void>((resolve) => {
    const capture = new Capture(
      config.capture,
      rateHz,
      {
        onChunk: (chunk) => {
          samples += chunk.samples.length;
          for (const value of chunk.samples) peak = Math.max(peak, Math.abs(value));
          if (samples >= (rateHz * recordMs) / 1000) finish();
        },
        onState: (state, reason) => {
          if (state !== 'lost') return;
          why = reason;
          finish();
        },
        onEnd: () => undefined,
      },
      systemClock,
      Math.random,
    );
    const limit = setTimeout(() => {
      why = `no audio within ${microphoneLimitMs / 1000} s`;
      finish();
    }, microphoneLimitMs);
    const finish = () => {
      clearTimeout(limit);
      void capture.stop().then(resolve);
    };
    capture.start();
  });
  // Most microphones have one listener at a time.
  if (/busy/i.test(why) && (await holderOf(config.state.dir)) !== null)
    return warning(
      name,
      'not tried: it is busy, and a kikitori runs that may well have it',
      'its health message says mic: up then. To try it here: sudo systemctl stop kikitori, and start it afterwards',
    );
  if (why !== '')
    return failed(
      name,
      why,
      'is it plugged in, used by another program (also the running service), and may this user hear it (group audio)?',
    );
  const peakDb = 20 * Math.log10(Math.max(peak, 1e-9));
  const level = `recorded 1 s, loudest ${peakDb.toFixed(0)} dBFS`;
  if (peak === 0) return failed(name, `${level}: digital silence`, 'is it muted? See alsamixer');
  if (peakDb < quietDb)
    return warning(name, level, 'very quiet: raise the capture level in alsamixer');
  if (peakDb > loudDb)
    return warning(name, level, 'too loud, it clips: lower the capture level in alsamixer');
  return ok(name, level);
}

async function hearingChecks(config: Config): Promise<Finding[]> {
  let engine: Engine;
  try {
    engine = await Engine.open({
      modelPath: config.model.path,
      ...siteOf(config),
      ...(config.grammar.wordsPath === '' ? {} : { wordsPath: config.grammar.wordsPath }),
      threads: config.recognizer.threads,
    });
  } catch (error) {
    return [failed('model', messageOf(error), 'install kikitori again, or set model.path')];
  }
  const model = await modelCheck(engine);
  let grammar: GrammarDetails | null = null;
  let sentences: Finding;
  try {
    grammar = await engine.sentences();
    sentences = grammarFinding(grammar);
  } catch (error) {
    sentences = failed(
      'grammar',
      messageOf(error),
      'correct the file and run kikitori grammar check',
    );
  }
  return [model, sentences, ...(await dictationFindings(config, engine, grammar))];
}

async function modelCheck(engine: Engine): Promise<Finding> {
  const { name, version } = engine.bundle.manifest;
  const own = await hearOwnClip(engine, () => performance.now());
  const what = `${name} ${version}, ${own.realTimeFactor.toFixed(3)} of real time`;
  if (!own.passed)
    return failed(
      'model',
      `${what}; heard "${own.heard}" instead of "${own.wanted}" in its own clip`,
      'the bundle is damaged or not for this version: install another',
    );
  if (own.realTimeFactor > slowFactor)
    return warning('model', what, 'too slow for this board: use a smaller model');
  return ok('model', what);
}

function grammarFinding({ sentences, warnings, pronunciations }: GrammarDetails): Finding {
  const guessed = [...pronunciations].filter(([, p]) => p.every((x) => x.source === 'g2p'));
  const what = `${sentences.toLocaleString('en')} sentences, ${pronunciations.size} words`;
  const [first] = warnings;
  if (first !== undefined)
    return warning('grammar', `${what}; ${first.message}`, 'kikitori grammar check says all');
  if (guessed.length > 0)
    return warning(
      'grammar',
      `${what}; pronunciation guessed: ${guessed.map(([word]) => word).join(', ')}`,
      'check each with kikitori grammar say, and correct it in grammar.wordsPath',
    );
  return ok('grammar', what);
}

async function clockCheck(): Promise<Finding> {
  const now = new Date().toISOString();
  const synced =
    clockSynced() ||
    (await run('timedatectl', ['show', '-p', 'NTPSynchronized', '--value'], { timeout: 3000 }).then(
      ({ stdout }) => stdout.trim() === 'yes',
      () => false,
    ));
  if (synced) return ok('clock', `${now}, set by the network`);
  return warning(
    'clock',
    `${now}, not set by the network`,
    'times in messages may be wrong: sudo timedatectl set-ntp true, or let another time service do it',
  );
}

/** Only looks: a lock taken here could keep the service from starting. */
async function heldBy(dir: string): Promise<string> {
  const holder = await holderOf(dir);
  if (holder === null) return 'no kikitori runs with it';
  const who = holder.pid === undefined ? 'a kikitori' : `process ${holder.pid}`;
  return `${who} runs with it${holder.since === undefined ? '' : ` since ${holder.since}`}`;
}

async function diskCheck(config: Config): Promise<Finding> {
  const { dir } = config.state;
  const held = await heldBy(dir);
  const probe = join(dir, `.doctor-${process.pid}`);
  try {
    await mkdir(dir, { recursive: true });
    const file = await open(probe, 'w');
    await file.writeFile('kikitori');
    await file.sync();
    await file.close();
    await rm(probe);
  } catch (error) {
    await rm(probe, { force: true }).catch(() => undefined);
    return failed(
      'disk',
      `${messageOf(error)}; ${held}`,
      'state.dir must be a folder that this user may write',
    );
  }
  const { bavail, bsize } = await statfs(dir);
  const freeMb = (bavail * bsize) / 1e6;
  const wantedMb = (2 * config.publish.outbox.maxBytes) / 1e6 + 20;
  const what = `${dir}, ${Math.round(freeMb).toLocaleString('en')} MB free, ${held}`;
  if (freeMb < wantedMb)
    return warning(
      'disk',
      what,
      `the outbox may need ${Math.round(wantedMb)} MB: make room, or lower publish.outbox.maxBytes`,
    );
  return ok('disk', what);
}

/** One line a check, with what to do; status 1 when one failed. */
export const doctor: CommandRun = async (argv, io) => {
  const { values } = parse(argv, configOptions, usage);
  if (values.help === true) {
    io.stdout.write(`usage: ${usage}\n`);
    return 0;
  }
  const config = loadConfig(configPath(values.config, io), io.env);
  let status = 0;
  const say = (found: Finding) => {
    const finding = { ...found, what: withoutAddresses(found.what) };
    if (finding.status === 'failed') status = 1;
    if (values.json === true) jsonLine(io, finding);
    else {
      const mark = { ok: 'ok', warning: 'warning', failed: 'FAILED' }[finding.status];
      const todo = finding.todo === undefined ? '' : `\n${' '.repeat(23)} -> ${finding.todo}`;
      io.stdout.write(`${mark.padEnd(8)} ${finding.check.padEnd(14)} ${finding.what}${todo}\n`);
    }
  };
  const checks: [string, () => Promise<Finding | Finding[]>][] = [
    ['platform', platformCheck],
    ['device', () => deviceCheck(config, io)],
    ['microphone', () => microphoneCheck(config)],
    ['model', () => hearingChecks(config)],
    ['secrets', async () => secretFindings(config, Date.now())],
    ['broker', () => brokerCheck(config)],
    // What stands beside it, as far as it is switched on.
    ['home-assistant', () => homeAssistantFindings(config)],
    ['sparkplug', () => sparkplugFindings(config)],
    ['feedback', () => feedbackFindings(config, io)],
    ['metrics', () => metricsFindings(config)],
    ['page', () => pageFindings(config)],
    ['wyoming', () => wyomingFindings(config)],
    ['clock', clockCheck],
    ['disk', () => diskCheck(config)],
    // What happened, where somebody should look.
    ['outbox', () => stateFindings(config)],
    ['update', () => updateFindings(config)],
    ['service', serviceFindings],
  ];
  for (const [name, check] of checks) {
    try {
      for (const finding of [await check()].flat()) say(finding);
    } catch (error) {
      say(failed(name, messageOf(error), 'this check itself could not be made'));
    }
  }
  return status;
};
