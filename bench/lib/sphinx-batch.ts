import { join } from 'node:path';

/** pocketsphinx_batch (Debian: pocketsphinx, pocketsphinx-en-us) with its own models on `ctl` of a folder; `hyp` is what it heard. */
export function sphinxArguments(folder: string): string[] {
  const models = '/usr/share/pocketsphinx/model/en-us';
  return [
    ['-hmm', `${models}/en-us`],
    ['-lm', `${models}/en-us.lm.bin`],
    ['-dict', `${models}/cmudict-en-us.dict`],
    ['-ctl', join(folder, 'ctl')],
    ['-cepdir', folder],
    ['-cepext', '.wav'],
    ['-adcin', 'yes'],
    ['-adchdr', '44'],
    ['-hyp', join(folder, 'hyp')],
  ].flat();
}
