/**
 * What is wrong with a YAML text, in our words: those of the library quote the line, which may hold a password.
 */
import { visit, type Document, type LineCounter, type YAMLError } from 'yaml';

/** One that concerns the text, not a key. */
export interface SyntaxFault {
  readonly line: number;
  readonly column: number;
  readonly what: string;
}

const words: Readonly<Record<string, string>> = {
  ALIAS_PROPS: 'an alias (*name) takes no anchor and no tag',
  BAD_ALIAS: 'this alias (*name) has no anchor (&name) before it',
  BAD_COLLECTION_TYPE: 'the tag does not fit what follows it',
  BAD_DIRECTIVE: 'this directive (%...) is not understood',
  BAD_DQ_ESCAPE: 'this \\ is no escape of YAML; within "..." a \\ is written \\\\',
  BAD_INDENT:
    'the indentation is wrong (keys of one section begin in the same column), or a closing ] or } is missing',
  BAD_PROP_ORDER: 'anchor and tag stand before the value',
  BAD_SCALAR_START: 'a text that begins with this sign needs quotes',
  BLOCK_AS_IMPLICIT_KEY: 'a key with two values in one line: a text with ": " in it needs quotes',
  BLOCK_IN_FLOW: 'a section inside { } or [ ] is written with { }',
  DUPLICATE_KEY: 'this key is there twice; keys of one section are unique',
  KEY_OVER_1024_CHARS: 'this key is too long',
  MISSING_CHAR: 'a sign is missing: a closing quote, bracket or comma, or the : after a key',
  MULTILINE_IMPLICIT_KEY: 'the : after this key is missing',
  MULTIPLE_ANCHORS: 'one anchor is enough',
  MULTIPLE_DOCS: 'a second document begins here (---); a configuration is one',
  MULTIPLE_TAGS: 'one tag is enough',
  NON_STRING_KEY: 'a key is a plain name',
  TAB_AS_INDENT: 'a tab indents nothing in YAML: use spaces',
  UNEXPECTED_TOKEN:
    'this is not expected here: is a quote, bracket or indentation wrong before it?',
};

/** Tags that people know from elsewhere. Another one may be a password that begins with !. */
const knownTags = ['!secret', '!include', '!env_var', '!env', '!ENV', '!vault', '!file'];

const aboutTags =
  'is not understood; a secret is a file, named in a key like publish.mqtt.passwordFile; any value may come from the environment instead; a text that begins with ! needs quotes';

/** Everything that is wrong with the text as YAML, tags of other programs too. */
export function yamlFaults(document: Document.Parsed, lines: LineCounter): SyntaxFault[] {
  const unknownTags = document.warnings.filter(({ code }) => code === 'TAG_RESOLVE_FAILED');
  const faults = [...document.errors, ...unknownTags].map((error) => ({
    offset: error.pos[0],
    what: wordsOf(error),
  }));
  visit(document, {
    Alias: (_, node) => {
      if (node.resolve(document) === undefined)
        faults.push({ offset: node.range?.[0] ?? 0, what: words['BAD_ALIAS'] ?? '' });
    },
  });
  return faults.map(({ offset, what }) => {
    const { line, col } = lines.linePos(offset);
    return { line, column: col, what };
  });
}

function wordsOf({ code, message }: YAMLError): string {
  if (code === 'TAG_RESOLVE_FAILED') {
    const tag = knownTags.find((t) => message.split(/\s/).includes(t));
    return `the tag ${tag === undefined ? 'here ' : `${tag} `}${aboutTags}`;
  }
  return words[code] ?? 'this is not YAML';
}
