/** A page of docs as somebody walks it who does each thing that it says, and nothing else. */

export type Deed =
  /** Commands for a shell, as they stand there. */
  | { readonly kind: 'commands'; readonly text: string }
  /** The whole of a file. */
  | { readonly kind: 'file'; readonly path: string; readonly text: string }
  /** What is put into Home Assistant's editor of automations. */
  | { readonly kind: 'automation'; readonly text: string }
  /** What is spoken. */
  | { readonly kind: 'say'; readonly text: string };

export interface Part {
  readonly heading: string;
  readonly text: string;
  readonly deeds: readonly Deed[];
}

/** The parts of a section, by their headings, in order. */
export function walkOf(page: string, section: string): Part[] {
  const [, text] = page.split(new RegExp(`^## ${section}$`, 'm'));
  if (text === undefined) throw new Error(`the page has no section "${section}"`);
  const [own = ''] = text.split(/^## /m);
  return own
    .split(/^### /m)
    .slice(1)
    .map((part) => {
      const [heading = '', ...lines] = part.split('\n');
      return { heading: heading.replace(/^\d+\. /, ''), text: lines.join('\n') };
    })
    .map((part) => ({ ...part, deeds: deedsOf(part.text) }));
}

/** What was said last. */
let said = '';

function deedsOf(text: string): Deed[] {
  const deeds: Deed[] = [];
  const blocks = text.split(/^```(\w*)\n([^]*?)^```$/m);
  // Prose, language and block in turn.
  let path = '';
  for (let i = 0; i < blocks.length; i += 3) {
    const prose = blocks[i] ?? '';
    path = [...prose.matchAll(/(\/etc\/[\w./-]+\.yaml)/g)].at(-1)?.[1] ?? path;
    for (const [, words = ''] of prose.matchAll(/\bSay (?:"([^"]+)"|it again)/g))
      deeds.push({ kind: 'say', text: (said = words || said) });
    const block = blocks[i + 2];
    if (block === undefined) continue;
    if (blocks[i + 1] === '') deeds.push({ kind: 'commands', text: block });
    else if (block.startsWith('alias:')) deeds.push({ kind: 'automation', text: block });
    else if (path === '') throw new Error(`no file is named for:\n${block}`);
    else deeds.push({ kind: 'file', path, text: block });
  }
  return deeds;
}
