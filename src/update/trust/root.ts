/** What can be said of a repository's address, its root and its dates without asking anybody. */
import { Metadata, MetadataKind, type Root, type Timestamp } from '@tufjs/models';
import { shownAddress } from '../../runtime/address.js';
import { messageOf } from '../../runtime/errors.js';
import { UpdateError } from './errors.js';

export const baseOf = (url: string) => url.replace(/\/+$/, '');

export function checkUrl(text: string): void {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const fault =
    url === undefined || !/^https?:$/.test(url.protocol)
      ? 'expected http://... or https://...'
      : url.username !== '' || url.password !== ''
        ? 'credentials do not belong into it: it is logged'
        : url.search !== '' || url.hash !== ''
          ? 'expected no ? and no #'
          : undefined;
  if (fault === undefined) return;
  throw new UpdateError('unreachable', {
    where: shownAddress(text),
    what: fault,
    hint: 'correct update.url',
  });
}

export function isJson(bytes: Buffer): boolean {
  try {
    JSON.parse(bytes.toString('utf8'));
    return true;
  } catch {
    return false;
  }
}

export function parseRoot(bytes: Buffer): Metadata<Root> {
  return Metadata.fromJSON(MetadataKind.Root, JSON.parse(bytes.toString('utf8')) as never);
}

/** Why a root cannot be trusted to be whole: it must parse and carry its own signatures. */
export function rootFault(bytes: Buffer): string | undefined {
  try {
    const root = parseRoot(bytes);
    root.verifyDelegate(MetadataKind.Root, root);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/** `issued_at` is a field of this project's publisher, signed with the rest. */
export function issuedAtMs(metadata: Metadata<Root> | Metadata<Timestamp> | undefined): number {
  const issued = metadata?.signed.unrecognizedFields?.['issued_at'];
  const ms = typeof issued === 'string' ? Date.parse(issued) : NaN;
  return Number.isFinite(ms) ? ms : 0;
}
