import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createPrivateKey,
  generateKeyPairSync,
  randomBytes,
  scrypt,
  sign,
  type KeyObject,
} from 'node:crypto';
import { canonicalize } from '@tufjs/canonical-json';
import { KikitoriError, messageOf } from '../runtime/errors.js';

/** Public half, as TUF writes it. */
export interface PublicKey {
  readonly keytype: 'ed25519';
  readonly scheme: 'ed25519';
  readonly keyval: { readonly public: string };
}

/** A private key at rest: everything but `secret` may be read by anybody. */
export interface SealedKey {
  readonly format: 1;
  readonly kind: 'kikitori-fleet-key';
  /** root, targets, snapshot, timestamp, or the name of a second publisher. */
  readonly role: string;
  readonly keyId: string;
  readonly public: PublicKey;
  readonly createdAt: string;
  readonly kdf: {
    readonly name: 'scrypt';
    readonly cost: number;
    readonly blockSize: number;
    readonly parallelization: number;
    readonly salt: string;
  };
  readonly cipher: { readonly name: 'aes-256-gcm'; readonly iv: string; readonly tag: string };
  readonly secret: string;
}

export interface Signer {
  readonly keyId: string;
  readonly public: PublicKey;
  readonly sign: (bytes: Buffer) => string;
}

/** scrypt at this cost takes 128 MB and some tenths of a second: each guess of a thief costs as much. */
export const scryptCost = 2 ** 17;
const passphraseMin = 8;

/** TUF 1.0.31, 4.2: the id is the SHA-256 of the canonical public key. */
export function keyIdOf(key: PublicKey): string {
  return createHash('sha256').update(canonicalize(key)).digest('hex');
}

function publicOf(key: KeyObject): PublicKey {
  const spki = key.export({ type: 'spki', format: 'der' });
  // The last 32 bytes of an ed25519 SubjectPublicKeyInfo are the key (RFC 8410).
  return {
    keytype: 'ed25519',
    scheme: 'ed25519',
    keyval: { public: spki.subarray(-32).toString('hex') },
  };
}

export async function generateKey(
  role: string,
  passphrase: string,
  createdAt: string,
  cost = scryptCost,
): Promise<SealedKey> {
  return (await generateSigner(role, passphrase, createdAt, cost)).key;
}

/** A new key, encrypted before it is given out, and the means to sign with it at once. */
export async function generateSigner(
  role: string,
  passphrase: string,
  createdAt: string,
  cost = scryptCost,
): Promise<{ key: SealedKey; signer: Signer }> {
  if (passphrase.length < passphraseMin)
    throw new KikitoriError(`the passphrase for ${role} is too short`, {
      kind: 'usage',
      expected: `at least ${passphraseMin} characters`,
    });
  const pair = generateKeyPairSync('ed25519');
  const publicKey = publicOf(pair.publicKey);
  const keyId = keyIdOf(publicKey);
  const salt = randomBytes(16);
  const iv = randomBytes(12);
  const kdf = {
    name: 'scrypt',
    cost,
    blockSize: 8,
    parallelization: 1,
    salt: salt.toString('hex'),
  } as const;
  const secretKey = await derive(passphrase, kdf);
  const cipher = createCipheriv('aes-256-gcm', secretKey, iv);
  cipher.setAAD(Buffer.from(`${role}\n${keyId}`));
  const plain = pair.privateKey.export({ type: 'pkcs8', format: 'der' });
  const secret = Buffer.concat([cipher.update(plain), cipher.final()]);
  plain.fill(0);
  secretKey.fill(0);
  const key: SealedKey = {
    format: 1,
    kind: 'kikitori-fleet-key',
    role,
    keyId,
    public: publicKey,
    createdAt,
    kdf,
    cipher: {
      name: 'aes-256-gcm',
      iv: iv.toString('hex'),
      tag: cipher.getAuthTag().toString('hex'),
    },
    secret: secret.toString('base64'),
  };
  return { key, signer: signerOf(key, pair.privateKey) };
}

function signerOf(key: SealedKey, privateKey: KeyObject): Signer {
  return {
    keyId: key.keyId,
    public: key.public,
    sign: (bytes) => sign(null, bytes, privateKey).toString('hex'),
  };
}

/** Role and id are authenticated too: a key file cannot be relabelled. */
export async function unseal(key: SealedKey, passphrase: string, where: string): Promise<Signer> {
  const secretKey = await derive(passphrase, key.kdf);
  const decipher = createDecipheriv('aes-256-gcm', secretKey, Buffer.from(key.cipher.iv, 'hex'));
  decipher.setAAD(Buffer.from(`${key.role}\n${key.keyId}`));
  decipher.setAuthTag(Buffer.from(key.cipher.tag, 'hex'));
  let privateKey: KeyObject;
  try {
    const plain = Buffer.concat([
      decipher.update(Buffer.from(key.secret, 'base64')),
      decipher.final(),
    ]);
    privateKey = createPrivateKey({ key: plain, type: 'pkcs8', format: 'der' });
    plain.fill(0);
  } catch {
    throw new KikitoriError(`wrong passphrase for this ${key.role} key`, {
      kind: 'input',
      where,
      hint: 'nothing was changed',
    });
  } finally {
    secretKey.fill(0);
  }
  return signerOf(key, privateKey);
}

function derive(passphrase: string, kdf: SealedKey['kdf']): Promise<Buffer> {
  const options = {
    N: kdf.cost,
    r: kdf.blockSize,
    p: kdf.parallelization,
    maxmem: 256 * kdf.cost * kdf.blockSize + 2 ** 20,
  };
  return new Promise((resolve, reject) => {
    scrypt(passphrase.normalize('NFKC'), Buffer.from(kdf.salt, 'hex'), 32, options, (error, key) =>
      error === null ? resolve(key) : reject(error),
    );
  });
}

export function parseSealedKey(text: string, where: string): SealedKey {
  const bad = (what: string) =>
    new KikitoriError(`this is no private key of a fleet: ${what}`, { kind: 'input', where });
  let value: Partial<SealedKey>;
  try {
    value = (JSON.parse(text) ?? {}) as Partial<SealedKey>;
  } catch (error) {
    throw bad(messageOf(error));
  }
  if (value.kind !== 'kikitori-fleet-key' || value.format !== 1) throw bad('kind or format');
  const { kdf, cipher, secret, role, keyId } = value;
  if (kdf?.name !== 'scrypt' || !(kdf.cost >= 2 && kdf.cost <= 2 ** 20)) throw bad('kdf');
  if (!Number.isInteger(Math.log2(kdf.cost))) throw bad('kdf');
  if (kdf.blockSize !== 8 || kdf.parallelization !== 1 || typeof kdf.salt !== 'string')
    throw bad('kdf');
  if (cipher?.name !== 'aes-256-gcm' || !/^[0-9a-f]{24}$/.test(String(cipher.iv)))
    throw bad('cipher');
  // A shorter tag would be easier to guess.
  if (!/^[0-9a-f]{32}$/.test(String(cipher.tag)) || typeof secret !== 'string') throw bad('cipher');
  const { public: publicKey } = value;
  if (typeof role !== 'string' || !isPublic(publicKey) || keyIdOf(plain(publicKey)) !== keyId)
    throw bad('the public key does not belong to its id');
  return value as SealedKey;
}

/** Without whatever else a file may hold. */
const plain = ({ keytype, scheme, keyval }: PublicKey): PublicKey => ({
  ...{ keytype, scheme, keyval: { public: keyval.public } },
});

const isPublic = (key: Partial<PublicKey> | null | undefined): key is PublicKey =>
  key?.keytype === 'ed25519' &&
  key.scheme === 'ed25519' &&
  /^[0-9a-f]{64}$/.test(String(key.keyval?.public));

/** A second publisher hands over only this. */
export function parsePublicKey(text: string, where: string): PublicKey {
  try {
    const value = JSON.parse(text) as Partial<SealedKey> & Partial<PublicKey>;
    const key = value.public ?? value;
    if (key.keytype === 'ed25519' && /^[0-9a-f]{64}$/.test(key.keyval?.public ?? ''))
      return {
        keytype: 'ed25519',
        scheme: 'ed25519',
        keyval: { public: key.keyval?.public ?? '' },
      };
  } catch {
    // Said below.
  }
  throw new KikitoriError('this is no public key of a fleet', {
    kind: 'input',
    where,
    hint: 'a file written by `kikitori fleet key new`',
  });
}
