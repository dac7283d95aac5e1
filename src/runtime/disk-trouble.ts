import { codeOf } from './errors.js';

/** What a disk says when it is full, read-only, damaged, gone or closed to this user: it may be mended while the process runs. */
const codes: readonly string[] = [
  'ENOSPC',
  'EDQUOT',
  'EFBIG',
  'EROFS',
  'EACCES',
  'EPERM',
  'ENOENT',
  'EIO',
  'EMFILE',
  'ENFILE',
  'ESTALE',
  'ENODEV',
  'ENXIO',
];

export const isDiskTrouble = (error: unknown): boolean => codes.includes(codeOf(error) ?? '');

/** For `catch`: trouble of the disk is somebody else's to say, all else is thrown on. */
export function unlessDiskTrouble(error: unknown): void {
  if (!isDiskTrouble(error)) throw error;
}
