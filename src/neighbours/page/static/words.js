/** Numbers and codes of the device in words. */

export const percent = (value) => `${Math.round(100 * value)} %`;

export const time = (ms) =>
  new Date(ms).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit' });

export function duration(seconds) {
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}

export const size = (bytes) =>
  bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;

/** How the device listens: a mark, a word, and how good that is. */
export function hearing(device, link) {
  if (link !== 'live') return { mark: '!', word: 'Not connected', kind: 'bad' };
  const { health } = device;
  const mode = device.byRequest ? 'push-to-talk' : device.mode;
  if (health.mic === 'lost') return { mark: '!', word: 'Microphone lost', kind: 'bad' };
  if (health.muted) return { mark: '✕', word: 'Muted', kind: 'warn' };
  if (health.mic === 'silent') return { mark: '!', word: 'Microphone silent', kind: 'warn' };
  if (health.mic === 'none') return { mark: '–', word: 'No microphone', kind: 'warn' };
  const word = { wake: 'Waits for its name', 'push-to-talk': 'Waits for Listen' }[mode];
  return { mark: '●', word: word ?? 'Listening', kind: 'good' };
}

const microphone = {
  up: 'Works',
  lost: 'Lost. It is tried again by itself: check the plug.',
  silent: 'Gives only silence: is it switched off?',
  none: 'None. This device hears for others.',
};
export const microphoneWords = (mic) => microphone[mic] ?? mic;

const phases = {
  idle: 'Up to date',
  downloading: 'A new model is being downloaded',
  verified: 'A new model is checked and waits for its turn',
  trial: 'A new model is on trial: it goes back by itself if it hears worse',
  committed: 'The new model has passed its trial',
  'rolled-back': 'The new model was worse and was taken back',
  rejected: 'A new model was refused',
  failed: 'An update did not succeed; it is tried again',
};
export const updateWords = ({ state }, what = 'model') =>
  phases[state]?.replace('model', what) ?? state;

/** dB below full scale, on a bar from 0 to 1. */
export const onBar = (db) => Math.min(1, Math.max(0, (db + 80) / 74));

/** What the level of the microphone means. */
export function levelWords(level) {
  if (level === null) return '';
  const noise = String(Math.round(level.noiseDb)).replace('-', '−');
  if (level.clipped) return 'Too loud: the sound is cut off. Lower the gain.';
  if (level.noiseDb > -30) return `Loud surroundings (${noise} dB). Speak near the microphone.`;
  return `Surroundings ${noise} dB`;
}
