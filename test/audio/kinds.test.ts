/** Files that real programs wrote, in every kind that people have: all of them are the same sound. */
import { spawnSync } from 'node:child_process';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { encodeWav, readAudioFile } from '../../src/audio/index.js';

const folder = await mkdtemp(join(tmpdir(), 'kikitori-kinds-'));
t.teardown(() => rm(folder, { recursive: true, force: true }));
const at = (name: string) => join(folder, name);
const has = (program: string) => spawnSync(program, ['--version']).error === undefined;
const [sox, ffmpeg] = [has('sox'), has('ffmpeg')];

const tone = (i: number) => 0.5 * Math.sin(i / 9) * Math.min(1, i / 800);
const count = 16000;
await writeFile(
  at('tone.wav'),
  encodeWav(
    Float32Array.from({ length: count }, (_, i) => tone(i)),
    16000,
  ),
);

function make(program: string, args: readonly string[]) {
  const { status, stderr, stdout } = spawnSync(program, args, {
    cwd: folder,
    maxBuffer: 1e8,
  });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr.toString()}`);
  return stdout;
}

/** How alike, 1 at best, at the best of some shifts: codecs delay, and some lose the end. */
function likeness(samples: Float32Array): number {
  let best = 0;
  for (let shift = 0; shift < 2400; shift++) {
    let [both, a, b] = [0, 0, 0];
    for (let i = 1000; i < 3000; i++) {
      const [x, y] = [tone(i), samples[i + shift] ?? 0];
      both += x * y;
      a += x * x;
      b += y * y;
    }
    best = Math.max(best, both / Math.sqrt(Math.max(a * b, 1e-12)));
  }
  return best;
}

async function same(t: Test, name: string, least = 0.98, samples = count) {
  const clip = await readAudioFile(at(name));
  t.ok(Math.abs(clip.samples.length - samples) < 4000, `${name}: ${clip.samples.length} samples`);
  const like = likeness(clip.samples);
  t.ok(like > least, `${name}: alike ${like.toFixed(4)}`);
  t.notOk(clip.truncated, `${name} is whole`);
}

/** With no converter in reach. */
async function alone<T>(work: () => Promise<T>): Promise<T> {
  const before = process.env['PATH'];
  process.env['PATH'] = folder;
  try {
    return await work();
  } finally {
    process.env['PATH'] = before;
  }
}

void t.test('WAV that is read without help', { skip: !sox || !ffmpeg }, async (t) => {
  const bySox: [string, string[]][] = [
    ['u8.wav', ['-e', 'unsigned', '-b', '8']],
    ['s24.wav', ['-b', '24']],
    ['s32.wav', ['-b', '32']],
    ['f32.wav', ['-e', 'float', '-b', '32']],
    ['f64.wav', ['-e', 'float', '-b', '64']],
    ['alaw.wav', ['-e', 'a-law']],
    ['mulaw.wav', ['-e', 'mu-law']],
    ['rifx.wav', ['-B', '-b', '16']],
    ['rifx24.wav', ['-B', '-b', '24']],
    ['rifxf.wav', ['-B', '-e', 'float', '-b', '32']],
    ['rifx8.wav', ['-B', '-e', 'unsigned', '-b', '8']],
  ];
  for (const [name, args] of bySox) make('sox', ['tone.wav', ...args, name]);
  for (const [name, args] of [
    ['rf64.wav', ['-rf64', 'always']],
    ['alaw-ff.wav', ['-c:a', 'pcm_alaw']],
    ['mulaw-ff.wav', ['-c:a', 'pcm_mulaw']],
    ['extensible.wav', ['-c:a', 'pcm_s24le', '-ac', '3']],
    ['list.wav', ['-metadata', 'title=odd', '-metadata', 'comment=a b c']],
  ] as const)
    make('ffmpeg', ['-v', 'error', '-i', 'tone.wav', ...args, name]);
  // Written by programs that cannot go back.
  await writeFile(
    at('piped-ffmpeg.wav'),
    make('ffmpeg', ['-v', 'error', '-i', 'tone.wav', '-f', 'wav', '-']),
  );
  await writeFile(at('piped-sox.wav'), make('sox', ['tone.wav', '-t', 'wav', '-']));
  const names = [
    ...bySox.map(([name]) => name),
    ...['rf64', 'alaw-ff', 'mulaw-ff', 'list', 'piped-ffmpeg', 'piped-sox'].map((n) => `${n}.wav`),
  ];
  await alone(async () => {
    for (const name of names) await same(t, name);
    const three = await readAudioFile(at('extensible.wav'));
    t.equal(three.samples.length, count, 'three channels, mixed');
  });
  // Each code of G.711 is the value that sox has for it.
  await writeFile(
    at('codes.raw'),
    Uint8Array.from({ length: 256 }, (_, i) => i),
  );
  for (const law of ['a-law', 'mu-law']) {
    make('sox', [
      '-t',
      'raw',
      '-r',
      '8000',
      '-c',
      '1',
      '-e',
      law,
      '-b',
      '8',
      'codes.raw',
      '-e',
      law,
      `${law}.wav`,
    ]);
    make('sox', [`${law}.wav`, '-e', 'signed', '-b', '16', `${law}-16.wav`]);
    const ours = await alone(() => readAudioFile(at(`${law}.wav`), { rateHz: 8000 }));
    const theirs = await readAudioFile(at(`${law}-16.wav`), { rateHz: 8000 });
    t.same([...ours.samples], [...theirs.samples], law);
  }
});

void t.test(
  'WAV in other codings, and other kinds, whatever the name says',
  { skip: !sox || !ffmpeg },
  async (t) => {
    for (const [name, args] of [
      ['ima.wav', ['-e', 'ima-adpcm']],
      ['ms.wav', ['-e', 'ms-adpcm']],
      ['gsm.wav', ['-e', 'gsm-full-rate']],
      ['tone.aiff', []],
      ['tone.au', []],
      ['tone.w64', []],
      ['tone.flac', []],
    ] as const)
      make('sox', ['tone.wav', ...args, name]);
    for (const name of [
      'tone.mp3',
      'tone.ogg',
      'tone.m4a',
      'tone.aac',
      'tone.webm',
      'tone.opus',
      'tone.caf',
    ])
      make('ffmpeg', ['-v', 'error', '-i', 'tone.wav', name]);
    // As some programs write it: no tag before the first frame.
    make('ffmpeg', [
      '-v',
      'error',
      '-i',
      'tone.wav',
      '-id3v2_version',
      '0',
      '-write_xing',
      '0',
      'bare.mp3',
    ]);
    for (const name of ['ima.wav', 'ms.wav']) await same(t, name);
    await same(t, 'gsm.wav', 0.9);
    for (const name of [
      'tone.aiff',
      'tone.au',
      'tone.w64',
      'tone.flac',
      'tone.mp3',
      'tone.ogg',
      'tone.m4a',
      'tone.aac',
      'tone.webm',
      'tone.opus',
      'tone.caf',
      'bare.mp3',
    ]) {
      await same(t, name, 0.9);
      await copyFile(at(name), at(`${name}.wav`));
      await same(t, `${name}.wav`, 0.9);
      const error: unknown = await alone(() => readAudioFile(at(`${name}.wav`))).catch(
        (e: unknown) => e,
      );
      t.match(String(error), /this is .*, and only WAV is read.*apt-get install ffmpeg/, name);
    }
    const error: unknown = await alone(() => readAudioFile(at('gsm.wav'))).catch((e: unknown) => e);
    t.match(String(error), /GSM 6\.10 is not read here.*install a converter/);
    t.notMatch(String(error), /no WAV/);
  },
);

void t.test(
  'damaged files of other kinds: what is there, and a note; nothing, and an error',
  { skip: !ffmpeg },
  async (t) => {
    for (const name of ['tone.flac', 'tone.mp3', 'ima.wav', 'rf64.wav', 'alaw.wav']) {
      const whole = await readFile(at(name));
      await writeFile(at(`cut-${name}`), whole.subarray(0, Math.floor(whole.length * 0.6)));
      const clip = await readAudioFile(at(`cut-${name}`));
      t.ok(
        clip.samples.length > 3000 && clip.samples.length < count,
        `${name}: ${clip.samples.length}`,
      );
      await writeFile(at(`head-${name}`), whole.subarray(0, 14));
      await t.rejects(
        readAudioFile(at(`head-${name}`)),
        { message: new RegExp(`head-${name}: `) },
        name,
      );
    }
    make('ffmpeg', [
      '-v',
      'error',
      '-f',
      'lavfi',
      '-i',
      'color=c=red:s=16x16:d=0.2',
      '-f',
      'matroska',
      'silent.mka',
    ]);
    await t.rejects(readAudioFile(at('silent.mka')), { message: /cannot read it/ }, 'no sound');
  },
);

void t.test('an empty data chunk is empty, also with others behind it', async (t) => {
  const good = await readFile(at('tone.wav'));
  const header = Buffer.from(good.subarray(0, 44));
  header.writeUInt32LE(0, 40);
  const list = Buffer.from('LIST\x05\0\0\0INFOx\0cue \x04\0\0\0\0\0\0\0', 'latin1');
  const unpadded = Buffer.from('LIST\x05\0\0\0INFOxcue \x04\0\0\0\0\0\0\0', 'latin1');
  for (const tail of [Buffer.alloc(0), list, unpadded]) {
    await writeFile(at('empty.wav'), Buffer.concat([header, tail]));
    await t.rejects(readAudioFile(at('empty.wav')), { message: /there is no audio in it/ });
  }
  await writeFile(at('streamed.wav'), Buffer.concat([header, good.subarray(44)]));
  t.equal((await readAudioFile(at('streamed.wav'))).samples.length, count);
  // A chunk of odd length before the data, padded and not.
  for (const chunk of ['LIST\x05\0\0\0INFOx\0', 'LIST\x05\0\0\0INFOx']) {
    const parts = [good.subarray(0, 36), Buffer.from(chunk, 'latin1'), good.subarray(36)];
    await writeFile(at('odd.wav'), Buffer.concat(parts));
    t.equal((await readAudioFile(at('odd.wav'))).samples.length, count);
  }
});
