/** What scripts/demo printed -> a drawn terminal, as SVG; scripts/picture.ts writes it. */

const size = { text: 14, line: 22, character: 8.43, left: 20, top: 52 };
const colour = { text: '#c9d1d9', faint: '#8b949e', accepted: '#7ee787', refused: '#ffa657' };

interface Row {
  readonly said: string;
  readonly answer: string;
  readonly confidence: string;
  readonly latency: string;
}

/** As wide as the demo's columns are. */
const column = 44;

/**
 * A line of the demo's table; null for any other line. A sentence longer than its column moves the rest
 * of the line: it is found by being there twice, or by the "-" of a refusal.
 */
export function rowOf(line: string): Row | null {
  const [, words = '', confidence = '', latency = ''] =
    /^(.*\S) +(\d\.\d\d) +(\d+ ms)$/.exec(line) ?? [];
  if (words === '') return null;
  const long = words.length > column && words[column] !== ' ';
  const parts = long
    ? (/^(?<said>\S.*\S) (?<heard>\k<said>|-) +(?<answer>\S.*)$/.exec(words)?.groups ?? {})
    : {
        said: words.slice(0, column).trim(),
        heard: words.slice(column + 1, 2 * column + 1).trim(),
        answer: words.slice(2 * column + 2).trim(),
      };
  const { said = '', heard = '', answer = '' } = parts;
  if (answer === '') throw new Error(`this line of the demo's table cannot be read: ${line}`);
  const other = heard === '-' || heard === said ? '' : ` (heard: ${heard})`;
  return { said, answer: `${answer}${other}`, confidence, latency };
}

const escaped = (text: string) =>
  text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');

export function pictureOf(run: string): string {
  const lines = run.split('\n');
  const rows = lines.map(rowOf).filter((row) => row !== null);
  const verdict = lines.find((line) => line.endsWith(' as expected.'));
  if (rows.length === 0 || verdict === undefined)
    throw new Error('this is not what scripts/demo printed: no table, or no line "as expected"');
  const wide = (key: keyof Row) => Math.max(...rows.map((row) => row[key].length));
  const at = { said: 0, answer: wide('said') + 3, confidence: 0, latency: 0 };
  at.confidence = at.answer + wide('answer') + 3;
  at.latency = at.confidence + 4 + 3 + wide('latency');
  const columns = at.latency;
  const parts: string[] = [];
  let y = size.top + size.line / 2;
  const put = (column: number, text: string, fill: string, anchor = 'start') => {
    const x = (size.left + column * size.character).toFixed(1);
    const end = anchor === 'end' ? ' text-anchor="end"' : '';
    parts.push(`<text x="${x}" y="${y}" fill="${fill}"${end}>${escaped(text)}</text>`);
  };
  const next = (share = 1) => (y += size.line * share);
  put(0, '$ ./scripts/demo', colour.text);
  next(1.5);
  put(0, 'said', colour.faint);
  put(at.answer, 'received over MQTT', colour.faint);
  put(at.confidence, 'conf', colour.faint);
  put(at.latency, 'after', colour.faint, 'end');
  for (const row of rows) {
    next();
    const doubtful = /^refused|\(heard: /.test(row.answer);
    const fill = doubtful ? colour.refused : colour.accepted;
    put(at.said, row.said, colour.text);
    put(at.answer, row.answer, fill);
    put(at.confidence, row.confidence, colour.text);
    put(at.latency, row.latency, colour.text, 'end');
  }
  next(1.5);
  put(0, verdict, colour.text);
  const width = Math.ceil(size.left * 2 + columns * size.character);
  const height = y + size.line;
  const dots = ['#ff5f57', '#febc2e', '#28c840'].map(
    (fill, i) => `<circle cx="${22 + i * 20}" cy="20" r="6" fill="${fill}"/>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="t d" font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="${size.text}">
<title id="t">scripts/demo in a terminal</title>
<desc id="d">${escaped(rows.map((row) => `${row.said}: ${row.answer}, ${row.confidence}, ${row.latency}`).join('; '))}</desc>
<rect width="${width}" height="${height}" rx="10" fill="#0d1117"/>
${dots.join('')}
${parts.join('\n')}
</svg>
`;
}
