/** Sounds, the light and the program that tell the speaker. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../../config/index.js';
import { ledFolderOf } from '../../neighbours/feedback/led.js';
import { codeOf, fileFault, messageOf } from '../../runtime/errors.js';
import type { Io } from '../shared/command.js';
import { failed, ok, type Finding } from './finding.js';
import { cardsAmong, isListed, isProgram, soundDevices } from './programs.js';
import { demand } from './rights.js';

const check = 'feedback';

export async function feedbackFindings({ feedback }: Config, io: Io): Promise<Finding[]> {
  const { sounds, device, led, program } = feedback;
  return [
    ...(sounds === 'off' ? [] : [await soundFinding(device, io)]),
    ...(led === '' ? [] : [await ledFinding(led)]),
    ...(program === '' ? [] : [await programFinding(program)]),
  ];
}

async function soundFinding(device: string, io: Io): Promise<Finding> {
  if (!(await isProgram('aplay', io.env)))
    return failed(check, 'aplay is not installed', 'sudo apt-get install alsa-utils');
  if (device === '') return ok(check, 'aplay, the default loudspeaker');
  const names = await soundDevices('aplay');
  if (isListed(device, names)) return ok(check, `aplay, ${device}`);
  const known = cardsAmong(names);
  return failed(
    check,
    `there is no loudspeaker ${device}`,
    known.length === 0
      ? 'no sound card is seen: plug it in, and add this user to the group audio'
      : `set feedback.device to one of: ${known.join('  ')}`,
  );
}

async function ledFinding(led: string): Promise<Finding> {
  let folder: string;
  try {
    folder = ledFolderOf(led);
  } catch (error) {
    return failed(check, messageOf(error), 'set feedback.led to a name (ls /sys/class/leds)');
  }
  try {
    await demand(join(folder, 'max_brightness'), 'read');
    await demand(join(folder, 'brightness'), 'write');
    return ok(check, `the light ${led} can be switched`);
  } catch (error) {
    return codeOf(error) === 'ENOENT'
      ? failed(check, `there is no light ${led}`, 'set feedback.led to a name (ls /sys/class/leds)')
      : failed(
          check,
          `the light ${led}: ${fileFault(error)}`,
          'let the service write it by a rule of udev (docs/feedback.md)',
        );
  }
}

async function programFinding(path: string): Promise<Finding> {
  try {
    if ((await stat(path)).isDirectory())
      return failed(check, `${path} is a folder`, 'set feedback.program to a program');
    await demand(path, 'execute');
    return ok(check, `${path} can be started`);
  } catch (error) {
    return codeOf(error) === 'EACCES'
      ? failed(check, `${path} may not be started`, `sudo chmod a+rx ${path}`)
      : failed(check, `${path}: ${fileFault(error)}`, 'set feedback.program to a program');
  }
}
