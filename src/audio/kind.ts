/** What a sound file is by its first bytes: names lie. */

const latin = (head: Uint8Array, from: number, to: number) =>
  Buffer.from(head.subarray(from, to)).toString('latin1');

/** Name for people, and sox's type, by how such a file begins. */
const kinds: readonly (readonly [
  test: (head: Uint8Array) => boolean,
  name: string,
  sox: string,
])[] = [
  [(h) => latin(h, 0, 4) === 'OggS', 'Ogg', 'ogg'],
  [(h) => latin(h, 0, 4) === 'fLaC', 'FLAC', 'flac'],
  [(h) => latin(h, 0, 3) === 'ID3', 'MP3', 'mp3'],
  [(h) => latin(h, 4, 8) === 'ftyp', 'MPEG-4', 'm4a'],
  [(h) => latin(h, 0, 4) === 'FORM', 'AIFF', 'aiff'],
  [(h) => latin(h, 0, 4) === '.snd', 'AU', 'au'],
  [(h) => latin(h, 0, 5) === '#!AMR', 'AMR', 'amr-nb'],
  [(h) => latin(h, 0, 4) === 'caff', 'CAF', 'caf'],
  [(h) => latin(h, 0, 4) === 'wvpk', 'WavPack', 'wv'],
  [(h) => latin(h, 0, 4) === 'riff', 'Wave64', 'w64'],
  [(h) => latin(h, 0, 4) === '\x1aE\xdf\xa3', 'Matroska or WebM', 'mka'],
  [(h) => latin(h, 0, 4) === '0&\xb2u', 'Windows Media', 'wma'],
  [(h) => latin(h, 0, 4) === 'RIFF' && latin(h, 8, 12) !== 'WAVE', 'RIFF, but not WAVE', 'avi'],
  // MPEG audio, and AAC in ADTS: eleven bits set, then what only they allow.
  [(h) => h[0] === 0xff && ((h[1] ?? 0) & 0xf6) === 0xf0, 'AAC', 'aac'],
  [(h) => h[0] === 0xff && ((h[1] ?? 0) & 0xe0) === 0xe0 && ((h[1] ?? 0) & 6) !== 0, 'MP3', 'mp3'],
];

export interface SoundKind {
  readonly name: string;
  readonly sox: string;
}

/** "wav", another kind, or undefined: not known. Twelve bytes are enough. */
export function soundKind(head: Uint8Array): SoundKind | undefined {
  if (['RIFF', 'RIFX', 'RF64', 'BW64'].includes(latin(head, 0, 4)) && latin(head, 8, 12) === 'WAVE')
    return { name: 'WAV', sox: 'wav' };
  const found = kinds.find(([test]) => test(head));
  return found === undefined ? undefined : { name: found[1], sox: found[2] };
}
