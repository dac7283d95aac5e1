import { join } from 'node:path';
import { KikitoriError } from '../runtime/errors.js';
import type { Files } from '../update/trust/index.js';
import { parseSealedKey, unseal, type SealedKey, type Signer } from './keys.js';

/** Asked once for each key that is needed; never stored, never printed. */
export type Passphrase = (role: string, keyFile: string) => Promise<string>;

export interface FoundKey {
  readonly path: string;
  readonly key: SealedKey;
}

/** Private keys in folders: the one beside the repository, a USB stick with the root keys. */
export class Keyring {
  private readonly open = new Map<string, Signer>();

  constructor(
    private readonly folders: readonly string[],
    private readonly passphrase: Passphrase,
    private readonly files: Files,
  ) {}

  async list(): Promise<FoundKey[]> {
    const found: FoundKey[] = [];
    for (const folder of this.folders) {
      for (const name of (await this.files.list(folder)).sort()) {
        if (!name.endsWith('.key.json') || name.startsWith('.')) continue;
        const path = join(folder, name);
        const bytes = await this.files.read(path);
        if (bytes !== undefined)
          found.push({ path, key: parseSealedKey(bytes.toString('utf8'), path) });
      }
    }
    return found;
  }

  /** Opens enough of the keys that may sign for a role, or says which are missing. All that are here sign. */
  async signers(role: string, keyIds: readonly string[], threshold: number): Promise<Signer[]> {
    const here = new Map(
      (await this.list())
        .filter(({ key }) => keyIds.includes(key.keyId))
        .map((f) => [f.key.keyId, f]),
    );
    if (here.size < threshold) {
      const short = keyIds.filter((id) => !here.has(id)).map((id) => id.slice(0, 12));
      throw new KikitoriError(
        `${role} needs ${threshold} signature(s), and only ${here.size} of its private keys are here`,
        {
          kind: 'input',
          where: this.folders.join(', '),
          hint: `name the folder of the others with --keys DIR (missing: ${short.join(', ')}); nothing was changed`,
        },
      );
    }
    const signers: Signer[] = [];
    for (const found of here.values()) signers.push(await this.signer(found));
    return signers;
  }

  private async signer({ key, path }: FoundKey): Promise<Signer> {
    const known = this.open.get(key.keyId);
    if (known !== undefined) return known;
    const signer = await unseal(key, await this.passphrase(key.role, path), path);
    this.open.set(key.keyId, signer);
    return signer;
  }
}

/** root-3f2a91bc04de.key.json: the role for people, the id for uniqueness. */
export function keyFileName(key: SealedKey): string {
  return `${key.role}-${key.keyId.slice(0, 12)}.key.json`;
}
