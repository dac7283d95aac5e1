/**
 * Pages that are half written and half made. What is made stands between two comments that name it; the rest belongs
 * to whoever writes.
 */

const begin = (name: string) => `<!-- made: ${name}; change the source and run npm run docs -->`;
const end = (name: string) => `<!-- end of ${name} -->`;

/** The page with its regions as they should be. A region too few, too many or without an end is an error: all at once. */
export function fill(
  path: string,
  page: string,
  regions: Readonly<Record<string, string>>,
): string {
  const faults: string[] = [];
  const out: string[] = [];
  const seen = new Set<string>();
  let open: string | null = null;
  for (const [index, line] of page.split('\n').entries()) {
    const at = `${path}:${index + 1}`;
    const begins = /^<!-- made: ([\w-]+)/.exec(line)?.[1];
    const ends = /^<!-- end of ([\w-]+) -->$/.exec(line)?.[1];
    if (begins !== undefined) {
      const text = regions[begins];
      if (open !== null) faults.push(`${at}: "${begins}" begins before "${open}" ends`);
      if (seen.has(begins)) faults.push(`${at}: "${begins}" is here twice`);
      if (text === undefined) faults.push(`${at}: nothing makes "${begins}"`);
      out.push(begin(begins), '', (text ?? '').trim(), '', end(begins));
      seen.add(begins);
      open = begins;
    } else if (ends !== undefined) {
      if (ends !== open) faults.push(`${at}: "${ends}" ends and did not begin`);
      open = null;
    } else if (open === null) out.push(line);
  }
  if (open !== null) faults.push(`${path}: expected the line ${end(open)}`);
  for (const name of Object.keys(regions))
    if (!seen.has(name)) faults.push(`${path}: expected the lines ${begin(name)} and ${end(name)}`);
  if (faults.length > 0) throw new Error(faults.join('\n'));
  return out.join('\n');
}

const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(' | ')} |`;
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n');
}

export const code = (language: string, text: string) => `\`\`\`${language}\n${text.trim()}\n\`\`\``;
