import t from 'tap';
import { decodeText } from '../../src/runtime/text-file.js';

const utf16 = (text: string, order: 'LE' | 'BE') => {
  const bytes = Buffer.from(text, 'utf16le');
  return order === 'LE' ? bytes : bytes.swap16();
};
const refusal = (bytes: Uint8Array, kind: 'input' | 'config' = 'input') => {
  try {
    decodeText(bytes, 'f.txt', kind);
  } catch (error) {
    return (error as Error).message;
  }
  return undefined;
};

void t.test('UTF-8 with or without its mark, lines of every kind', async (t) => {
  for (const text of ['', 'a', 'é\n日本 🔥\n', 'with \uFFFD as it is', 'a\uFEFFb'])
    t.equal(decodeText(Buffer.from(text), 'f'), text);
  t.equal(decodeText(Buffer.from('\uFEFFa\r\nb\rc\nd'), 'f'), 'a\r\nb\nc\nd');
});

void t.test('what is no UTF-8 is refused with its place and what it looks like', async (t) => {
  const latin1 = (text: string) => Buffer.from(text, 'latin1');
  t.equal(
    refusal(latin1('go | stop;\r\n | caf\xe9;')),
    'f.txt:2:7: byte 18 (0xE9) is no UTF-8: this looks like Latin-1 (ISO 8859-1) or Windows-1252, where it is "é"; expected UTF-8; save it as UTF-8: iconv -f WINDOWS-1252 -t UTF-8 OLD > NEW',
  );
  t.match(
    refusal(latin1('a\n\x80 5')),
    /^f\.txt:2:1: byte 2 \(0x80\).*like Windows-1252; expected/,
  );
  t.match(refusal(latin1('\xe9')), /^f\.txt:1:1: /);
  t.match(
    refusal(Buffer.from('\uFEFFé\xe9'.replace('\xe9', '')).subarray(0, 4)),
    /^f\.txt:1:1: byte 3/,
  );
  t.match(
    refusal(Buffer.concat([Buffer.from('größe\nmaß '), latin1('\xfc')])),
    /^f\.txt:2:5: byte 13 .*the file is damaged/,
  );
  t.match(refusal(Buffer.from('größe 日').subarray(0, -1)), /^f\.txt:1:7: byte 8 /, 'cut off');
  const secret = refusal(latin1('password: M\xe9RKER'), 'config') ?? '';
  t.match(secret, /^f\.txt:1:12: byte 11 is no UTF-8/);
  t.notMatch(secret, /é|E9|M.RKER/, 'nothing of a configuration is shown');
});

void t.test('UTF-16 and UTF-32, with and without their mark', async (t) => {
  for (const order of ['LE', 'BE'] as const) {
    t.match(
      refusal(utf16('\uFEFFgo größe 日本', order)),
      new RegExp(
        `^f\\.txt:1:1: the file begins with the byte order mark of UTF-16${order}; .*iconv -f UTF-16${order}`,
      ),
    );
    t.match(
      refusal(utf16('intents:\n  A: go\n', order)),
      new RegExp(`^f\\.txt:1:1: this looks like UTF-16${order}`),
    );
  }
  t.match(refusal(Buffer.from([0xff, 0xfe, 0, 0, 0x61, 0, 0, 0])), /mark of UTF-32LE/);
  t.match(refusal(Buffer.from([0, 0, 0xfe, 0xff, 0, 0, 0, 0x61])), /mark of UTF-32BE/);
  t.match(
    refusal(Buffer.from('abc\nd\0efghijklmnopqrstuvwxyz')),
    /^f\.txt:2:2: byte 5 is zero: this is no text file/,
  );
});

void t.test('every byte string is read as it stands or refused', async (t) => {
  let read = 0;
  for (let a = 0; a < 256; a++)
    for (let b = 0; b < 256; b += 13)
      for (const tail of [[], [0x80], [0x80, 0xbf], [0x41]]) {
        const bytes = Buffer.from([0x61, a, b, ...tail]);
        const strict = () => new TextDecoder('utf-8', { fatal: true }).decode(bytes);
        let wanted: string | undefined;
        try {
          wanted = bytes.includes(0) ? undefined : strict().replace(/\r(?!\n)/g, '\n');
        } catch {
          wanted = undefined;
        }
        const got = refusal(bytes) === undefined ? decodeText(bytes, 'f') : undefined;
        if (got !== undefined) read++;
        if (got !== wanted) t.equal(got, wanted, bytes.toString('hex'));
      }
  t.ok(read > 1000, `${read} were text`);
});
