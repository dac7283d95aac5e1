/** The small files of a fleet's folder: what is no such file is refused in words. */
import t from 'tap';
import { parseStages } from '../../src/fleet/auto.js';
import { keyIdOf, parseSealedKey, type PublicKey } from '../../src/fleet/keys.js';
import { defaultSettings, parseSettings } from '../../src/fleet/settings.js';

const publicKey: PublicKey = {
  keytype: 'ed25519',
  scheme: 'ed25519',
  keyval: { public: 'a'.repeat(64) },
};
const key = {
  ...{ kind: 'kikitori-fleet-key', format: 1, role: 'root', keyId: keyIdOf(publicKey) },
  kdf: { name: 'scrypt', cost: 2 ** 17, blockSize: 8, parallelization: 1, salt: '00ff' },
  cipher: { name: 'aes-256-gcm', iv: '0'.repeat(24), tag: 'f'.repeat(32) },
  ...{ public: publicKey, secret: '0a' },
};

void t.test('a private key of a fleet', async (t) => {
  t.same(parseSealedKey(JSON.stringify(key), 'k'), key);
  const refused: readonly (readonly [unknown, string])[] = [
    [null, 'kind or format'],
    [{ ...key, kdf: { ...key.kdf, cost: 1000 } }, 'kdf'],
    [{ ...key, cipher: { ...key.cipher, iv: 5 } }, 'cipher'],
    [{ ...key, cipher: { ...key.cipher, tag: 'ffffffff' } }, 'cipher'],
    [{ ...key, secret: null }, 'cipher'],
    [{ ...key, public: null }, 'the public key does not belong to its id'],
    [
      { ...key, public: { ...publicKey, keyval: null } },
      'the public key does not belong to its id',
    ],
  ];
  for (const [value, why] of refused)
    t.throws(() => parseSealedKey(JSON.stringify(value), 'k'), {
      message: `k: this is no private key of a fleet: ${why}`,
    });
});

void t.test(
  'a key with more beside it is that key; an id of something else is not its',
  async (t) => {
    const more = { ...key, public: { ...publicKey, note: 0.5 } };
    t.same(parseSealedKey(JSON.stringify(more), 'k').keyId, key.keyId);
  },
);

void t.test('stages with an alias of nothing', async (t) => {
  t.throws(() => parseStages('stages: [{percent: *a}]\n', 's'), {
    message: 's: 1 fault(s): an alias (*name) that names nothing, or has no end',
  });
});

void t.test('settings of a fleet', async (t) => {
  t.same(parseSettings(JSON.stringify(defaultSettings), 's'), defaultSettings);
  t.throws(() => parseSettings('null', 's'), { message: 's: format is not 1' });
});
