import { readSecret, type Config } from '../../config/index.js';
import { KikitoriError } from '../../runtime/errors.js';
import { isLoopback, parseListen } from '../../runtime/listen-address.js';

const tokenLettersMin = 16;
export const tokenLettersMax = 512;

/** Null on a port that only this machine reaches and that asks for none. */
export function tokenOf({ listen, tokenFile }: Config['page']): string | null {
  if (tokenFile === '') {
    if (isLoopback(parseListen(listen).host)) return null;
    throw new KikitoriError('other machines reach this address', {
      kind: 'config',
      where: 'page.listen',
      expected: 'page.tokenFile with it, or 127.0.0.1',
    });
  }
  const token = readSecret(tokenFile, 'page.tokenFile').trim();
  if (token.length < tokenLettersMin || token.length > tokenLettersMax || /\s/.test(token))
    throw new KikitoriError('this token can be guessed or typed by nobody', {
      kind: 'config',
      where: 'page.tokenFile',
      expected: `${tokenLettersMin} to ${tokenLettersMax} characters without a space`,
      hint: 'make one: head -c 18 /dev/urandom | base64',
    });
  return token;
}
