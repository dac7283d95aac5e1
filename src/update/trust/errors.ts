import { codeOf, KikitoriError, messageOf, type ErrorKind } from '../../runtime/errors.js';

/**
 * Why an update was not taken. The codes are a contract (topic `update`, docs/fleet.md): scripts and
 * roll-outs count them. The words of the message may change, these do not.
 */
export const updateCodes = {
  unreachable: 'the repository cannot be reached',
  'http-status': 'the repository answered with an error',
  redirected: 'the repository sent a redirect, which is never followed',
  tls: 'the identity of the repository could not be checked',
  'too-slow': 'the repository sends too slowly',
  'timed-out': 'the repository took too long',
  'too-long': 'the repository sent more than was announced',
  'cut-off': 'the connection ended too early, again and again',
  malformed: 'the repository holds something that cannot be understood',
  unsigned: 'signatures are missing, wrong, or by keys that are not trusted',
  expired: 'signed metadata is past its date',
  replayed: 'the repository offers something older than what was seen before',
  mismatch: 'bytes differ from what was signed',
  'not-signed': 'the repository does not vouch for this file',
  'no-channel': 'the repository has nothing for this channel',
  'wrong-kind': 'the channel offers bundles of another kind',
  'clock-behind': "this board's clock is before a time that has certainly passed",
  'disk-full': 'there is not enough space for the update',
  storage: 'the state folder cannot be read or written',
  'bad-root': 'the installed root of trust cannot be used',
  busy: 'another update is going on',
  'bad-bundle': 'the signed file is no bundle that this agent accepts',
  aborted: 'stopped on request',
} as const;

export type UpdateCode = keyof typeof updateCodes;

const kinds: Partial<Record<UpdateCode, ErrorKind>> = {
  malformed: 'input',
  unsigned: 'input',
  expired: 'input',
  replayed: 'input',
  mismatch: 'input',
  'not-signed': 'input',
  'no-channel': 'input',
  'wrong-kind': 'input',
  'clock-behind': 'device',
  'disk-full': 'storage',
  storage: 'storage',
  'bad-root': 'config',
  busy: 'storage',
  'bad-bundle': 'bundle',
};

const hints: Partial<Record<UpdateCode, string>> = {
  unreachable: 'it is tried again at the next check',
  redirected: 'set the final address in update.url',
  tls: "check the server's certificate, update.caFile and this board's clock",
  unsigned:
    'nothing was taken; if this stays, the repository or the way to it is not to be trusted',
  expired: 'the publisher must run `kikitori fleet refresh`; check also the clock of this board',
  replayed: 'a cache or mirror is out of date, or somebody replays old files',
  mismatch: 'nothing was taken; upload the repository again, metadata/timestamp.json last',
  'no-channel': 'check update.channel, or publish to it first',
  'wrong-kind': 'update.channel is for model bundles, update.language.channel for language models',
  'clock-behind': 'let the board set its clock (NTP); until then dates of signatures mean nothing',
  'disk-full': 'free some space; the file is fetched again at the next check',
  busy: 'wait for it to end',
};

export class UpdateError extends KikitoriError {
  constructor(
    readonly code: UpdateCode,
    detail: { where?: string; what?: string; cause?: unknown; hint?: string } = {},
  ) {
    const what = updateCodes[code] + (detail.what === undefined ? '' : ` (${detail.what})`);
    super(what, {
      kind: kinds[code] ?? 'network',
      where: detail.where,
      hint: detail.hint ?? hints[code],
      cause: detail.cause,
    });
    this.name = 'UpdateError';
  }
}

/**
 * Anything that tuf-js, the models behind it or the file system throw, in words for an operator. tuf-js
 * wraps causes into the text of its RuntimeError, so the text decides; every row is tried in a test
 * against a real repository. `fault` is what the fetcher itself threw last, if that was the cause.
 */
export function translate(
  error: unknown,
  where: string,
  fault: UpdateError | undefined,
): UpdateError {
  if (error instanceof UpdateError) return error;
  if (fault !== undefined) return fault;
  const text = messageOf(error);
  const make = (code: UpdateCode, what: string) =>
    new UpdateError(code, { where, what, cause: error });
  const signed = /(\S+) was signed by (\d+)\/(\d+) keys/.exec(text);
  if (signed !== null)
    return make('unsigned', `${signed[1]} has ${signed[2]} of ${signed[3]} signatures needed`);
  const expired = /(\w[\w-]*)\.json is expired/.exec(text);
  if (expired !== null) return make('expired', `${expired[1]}`);
  const older = /New (.*?)version (\d+)(.*?) is less than current version (\d+)/.exec(text);
  if (older !== null)
    return make('replayed', `version ${older[2]} after version ${older[4]} was seen`);
  if (/ENOSPC|EDQUOT/.test(text)) return make('disk-full', 'while metadata was stored');
  if (/Failed to persist/.test(text) || codeOf(error) !== undefined) return make('storage', text);
  if (/Max length/.test(text)) return make('too-long', 'metadata');
  if (/Expected (hash|length|version)|does not match|doesn't match|Missing \S+/.test(text))
    return make('mismatch', plain(text));
  return make('malformed', plain(text));
}

/** What JavaScript says where metadata are null, or a value of another kind than tuf-js takes for granted. */
const ofJavaScript =
  /^Cannot (destructure|read|convert|set|use)\b|\bis not (a function|iterable|an object|a constructor)\b/;

/** The last part of a wrapped message, short, and without what JavaScript calls an object. */
function plain(text: string): string {
  const last = text.replace(/^.*\b\w*Error: /, '');
  if (ofJavaScript.test(last)) return 'metadata of another form than TUF has';
  return last.replaceAll('[object Object]', 'no text').slice(0, 160);
}
