import { wordsOf } from './numbers.js';
import { nothing, type Place, type Tree } from './tree.js';

/** A template that cannot be read; `offset` counts characters of the template. */
export class TemplateError extends Error {
  constructor(
    message: string,
    readonly offset: number,
  ) {
    super(message);
  }
}

/** Endings glued to a word are spelled out; more ways than this are refused. */
const gluedMax = 1000;

interface Piece {
  readonly tree: Tree;
  /** No space between this piece and the one before it. */
  readonly glued: boolean;
  /** Text as written when the piece is plain text. */
  readonly text?: string;
}

/**
 * hassil's sentence templates: `(a|b)`, `[optional]`, `{list}`, `{list:slot}`, `<rule>`,
 * permutations `(a; b)`, endings glued to words `light[s]`, and `\` before a special character.
 */
export function parseTemplate(source: string, placeOf: (offset: number) => Place): Tree {
  let at = 0;

  function sequenceOf(pieces: readonly Piece[]): Tree {
    const items: Tree[] = [];
    for (let i = 0; i < pieces.length;) {
      let end = i + 1;
      while (end < pieces.length && pieces[end]?.glued === true) end++;
      const run = pieces.slice(i, end);
      if (run.length === 1 || run.some((p) => holdsReference(p.tree)))
        items.push(...run.map((p) => p.tree));
      else items.push(glue(run));
      i = end;
    }
    return items.length === 1 ? (items[0] ?? nothing) : { kind: 'sequence', items };
  }

  function glue(run: readonly Piece[]): Tree {
    let texts = [''];
    for (const piece of run) {
      const endings = piece.text === undefined ? textsOf(piece.tree) : [piece.text];
      if (texts.length * endings.length > gluedMax) {
        throw new TemplateError(`more than ${gluedMax} ways to join these word parts`, at);
      }
      texts = texts.flatMap((text) => endings.map((ending) => text + ending));
    }
    return { kind: 'choice', items: texts.map(phrase) };
  }

  /** Reads up to one of `ends` and returns which it was. */
  function alternatives(ends: string, openedAt: number): { tree: Tree; permutation: boolean } {
    const choices: Tree[] = [];
    let pieces: Piece[] = [];
    let separator = '';
    let space = true;
    for (;;) {
      const c = source[at];
      if (c === undefined) {
        if (ends === '') break;
        throw new TemplateError(`"${source[openedAt] ?? ''}" is never closed`, openedAt);
      }
      if (ends !== '' && c === ends) {
        at++;
        break;
      }
      if (c === '|' || c === ';') {
        if (separator !== '' && separator !== c)
          throw new TemplateError('"|" and ";" in one group', at);
        if (c === ';' && ends !== ')') throw new TemplateError('";" outside of ( )', at);
        separator = c;
        choices.push(sequenceOf(pieces));
        pieces = [];
        space = true;
        at++;
        continue;
      }
      if (/\s/.test(c)) {
        space = true;
        at++;
        continue;
      }
      pieces.push(piece(c, !space));
      space = false;
    }
    choices.push(sequenceOf(pieces));
    const permutation = separator === ';';
    if (choices.length === 1) return { tree: choices[0] ?? nothing, permutation };
    return { tree: { kind: permutation ? 'permutation' : 'choice', items: choices }, permutation };
  }

  function piece(c: string, glued: boolean): Piece {
    const start = at;
    if (c === '(') {
      at++;
      return { tree: alternatives(')', start).tree, glued };
    }
    if (c === '[') {
      at++;
      return { tree: { kind: 'choice', items: [alternatives(']', start).tree, nothing] }, glued };
    }
    if (c === '{' || c === '<') {
      const close = c === '{' ? '}' : '>';
      const end = source.indexOf(close, at);
      if (end < 0) throw new TemplateError(`"${c}" is never closed`, start);
      const name = source.slice(at + 1, end).trim();
      at = end + 1;
      if (!/^[\w.-]+(:[\w.-]+)?$/.test(name))
        throw new TemplateError(`"${name}" is no name`, start + 1);
      const [list = '', slot = list] = name.split(':');
      const place = placeOf(start);
      return {
        tree:
          c === '{'
            ? { kind: 'list', list, slot, at: place }
            : { kind: 'rule', rule: name, at: place },
        glued,
      };
    }
    if (c === ')' || c === ']' || c === '}' || c === '>')
      throw new TemplateError(`"${c}" closes nothing`, at);
    let text = '';
    while (at < source.length) {
      const next = source[at] ?? '';
      if (next === '\\') {
        text += source[at + 1] ?? '';
        at += 2;
      } else if (/[\s()[\]{}<>|;]/.test(next)) break;
      else {
        text += next;
        at++;
      }
    }
    return { tree: phrase(text), glued, text };
  }

  return alternatives('', 0).tree;
}

/** Plain text as a sequence of spoken words. */
export function phrase(text: string): Tree {
  const items = wordsOf(text).map((word): Tree => ({ kind: 'word', word }));
  return items.length === 1 ? (items[0] ?? nothing) : { kind: 'sequence', items };
}

function holdsReference(tree: Tree): boolean {
  if (tree.kind === 'list' || tree.kind === 'rule' || tree.kind === 'slot') return true;
  return tree.kind !== 'word' && tree.items.some(holdsReference);
}

/** All texts of a small tree without references. */
function textsOf(tree: Tree): string[] {
  switch (tree.kind) {
    case 'word':
      return [tree.word];
    case 'sequence':
      return tree.items.reduce<string[]>(
        (texts, item) =>
          texts.flatMap((t) => textsOf(item).map((u) => (t === '' ? u : `${t} ${u}`))),
        [''],
      );
    case 'choice':
      return tree.items.flatMap(textsOf);
    default:
      return [''];
  }
}
