/** The figures of docs/dictation.md out of what the benches print. Throws where one is not there: they print otherwise by now. */

/** What each step printed. */
export interface Printed {
  readonly dictation: string;
  readonly noise: string;
  readonly slots: string;
  readonly talk: string;
}

const rate = String.raw`[\d.]+ % \([\d.]+ to [\d.]+\)`;

function found(text: string, pattern: RegExp, what: string): string[] {
  const match = pattern.exec(text);
  if (match === null) throw new Error(`${what} is not among what was printed`);
  return match.slice(1);
}

/** Word error of a set, by bench/dictation.ts. */
function wordError(text: string, set: string): string {
  const [clips = '', people = '', error = '', words = ''] = found(
    text,
    new RegExp(
      `^${set}, truth 0: (\\d+) clips, (\\d+) people.*\\n\\s+word error (${rate}): .* of (\\d+) words`,
      'm',
    ),
    `the word error of ${set}`,
  );
  return `| ${set}, ${clips} clips of ${people}, ${words} words | ${error} |`;
}

/** One floor of bench/dictation-noise.ts, and the same without one. */
function noiseAt(text: string, floor: string) {
  const [words = '', messages = '', written = '', answered = '', of = '', right = ''] = found(
    text,
    new RegExp(
      `^floor ${floor}: noise (\\d+) words, (\\d+) messages an hour; speech .* error, (\\d+) words written; alone (\\d+) of (\\d+) answered, (\\d+) right`,
      'm',
    ),
    `the floor ${floor}`,
  );
  return { words, messages, written: Number(written), answered, of, right };
}

function noiseRow(text: string, floor: string): string {
  const at = noiseAt(text, floor);
  const kept = (100 * at.written) / noiseAt(text, '0.0').written;
  return `| ${floor} | ${at.words} words in ${at.messages} messages | ${kept.toFixed(1)} % | ${at.answered} of ${at.of}, ${at.right} right |`;
}

/** One side of bench/open-slots-people.ts, all strangers together. */
function slotRow(text: string, side: 'first' | 'last'): string {
  const [, block = ''] = text.split(new RegExp(`^(?=${side} \\d+ words, all strangers)`, 'm'));
  const own = block.split('\n').slice(0, 12).join('\n');
  const line = (what: string) =>
    found(own, new RegExp(`^\\s+${what}: (${rate}) of (\\d+)`, 'm'), `${side}: ${what}`);
  const [right = ''] = line('fixed words right');
  const [accepted = ''] = line('and accepted');
  const [words = '', of = ''] = line('words of the slot right');
  const [refused = '', others = ''] = line('not in the grammar, and refused');
  const wrongly = (100 - Number.parseFloat(refused)).toFixed(1);
  const where = side === 'first' ? 'last' : 'first';
  return `| slot ${where} | ${right} | ${accepted} | ${words} of ${of} | ${wrongly} % of ${others} |`;
}

function talkRow(text: string): string {
  const line = text.split('\n').find((l) => l.startsWith('{') && l.includes('"other"'));
  if (line === undefined) throw new Error('the talk is not among what was printed');
  const of = JSON.parse(line) as Record<'hours' | 'utterances' | 'falseAccepts', number>;
  const minutes = (60 * of.hours).toFixed(0);
  return `${of.falseAccepts} commands out of ${minutes} minutes of talk, ${of.utterances} utterances (${(of.falseAccepts / of.hours).toFixed(1)} an hour)`;
}

export function freeWordsTable({ dictation, noise, slots, talk }: Printed): string {
  return [
    '| dictation | word error |',
    '|---|--:|',
    ...['dev/novels', 'dev/reader'].map((set) => wordError(dictation, set)),
    '',
    '| confidence at least | noise, an hour | words of sentences kept | words alone answered |',
    '|--:|--:|--:|--:|',
    ...['0.0', '0.5', '0.6', '0.7', '0.8', '0.9'].map((floor) => noiseRow(noise, floor)),
    '',
    '| all strangers | fixed words right | and accepted | words of the slot right | others accepted |',
    '|---|--:|--:|--:|--:|',
    // Where the fixed words come first the slot is last.
    slotRow(slots, 'first'),
    slotRow(slots, 'last'),
    '',
    talkRow(talk),
    '',
  ].join('\n');
}
