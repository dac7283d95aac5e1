/**
 * What may be shown of an address: scheme, host, port and a plain path. Names, passwords and tokens hide in
 * every other part, and in odd ones they hide where a parser sees something else ("mqtt://me:12/34@host" has
 * the host "me"). So nothing is cut out: what is not known to be harmless is not shown.
 */
export const hidden = '[hidden]';

const schemes = 'mqtts?|wss?|tcp|ssl|https?|socks[45]?';
const plain = new RegExp(
  `^(${schemes})://([\\p{L}\\p{N}._-]+|\\[[0-9a-f:.]+\\])(:\\d{1,5})?(?:$|(/[\\w.~/-]*)?(.*)$)`,
  'isu',
);
const schemeAlone = new RegExp(`^(${schemes}):`, 'i');
/** The sign that a user part is in it, however it is written. */
const at = /[@\uFF20\uFE6B]|%40/i;

/** An address, or what stands where one should, for people to read. */
export function shownAddress(text: string): string {
  const trimmed = text.trim();
  if (trimmed === '') return '';
  const [, scheme, host, port = '', path = '', rest = ''] = plain.exec(trimmed) ?? [];
  if (scheme === undefined || at.test(trimmed)) {
    const [, known] = schemeAlone.exec(trimmed) ?? [];
    return known === undefined ? hidden : `${known}://${hidden}`;
  }
  // Behind the host only these end it; "mqtt://me:secret" has no port.
  if (path === '' && rest !== '' && !/^[?#]/.test(rest)) return `${scheme}://${hidden}`;
  const end = rest === '' ? '' : /^[?#]/.test(rest) ? `${rest.slice(0, 1)}${hidden}` : hidden;
  const shownPath = end === hidden ? '/' : path;
  return `${scheme}://${host ?? ''}${port}${shownPath}${end}`;
}

/** A scheme with what follows, or a name and a password before an @. */
const begin = new RegExp(
  `(?:\\b[a-z][a-z0-9+.-]*://|\\b(?:${schemes}):(?=[^\\s:])|(?<![^\\s"'\`(<=])[^\\s"'\`(<]*:[^\\s]*(?:[@\\uFF20\\uFE6B]|%40))`,
  'i',
);

/** Any text, also one of a library's error: the addresses in it as `shownAddress` shows them. */
export function withoutAddresses(text: string): string {
  return text.split('\n').map(lineWithout).join('\n');
}

function lineWithout(line: string): string {
  const found = begin.exec(line);
  if (found === null) return line;
  const before = line.slice(0, found.index);
  const rest = line.slice(found.index);
  // A password may hold spaces and quotes: up to the last @ nothing is known to be harmless.
  const lastAt = Math.max(...[...rest.matchAll(new RegExp(at, 'gi'))].map((m) => m.index), -1);
  const [token = ''] = /^[^\s"'`<>]*/.exec(rest.slice(Math.max(0, lastAt))) ?? [];
  const address = rest.slice(0, Math.max(0, lastAt) + token.length);
  const [, core = address, tail = ''] =
    lastAt < 0 ? (/^(.*?)([.,;:!)\]}]*)$/s.exec(address) ?? []) : [];
  // A bracket that was opened in it belongs to it: "[::1]".
  const open = /\[[^\]]*$/.test(core) && tail.startsWith(']');
  const shown = open ? shownAddress(`${core}]`) + tail.slice(1) : shownAddress(core) + tail;
  return before + shown + lineWithout(rest.slice(address.length));
}
