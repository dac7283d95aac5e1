/** Where updates come from, as the configuration says: the signed repository, and hawkBit, which names what is in it. */
import { arch } from 'node:os';
import { join } from 'node:path';
import { readSecret, type Config } from '../config/index.js';
import type { Clock } from '../runtime/clock.js';
import type { Log } from '../runtime/log.js';
import { agentVersion } from '../runtime/version.js';
import { LazySource, realDisk, type BundleSource } from '../update/index.js';
import type { HawkbitTrigger } from '../update/hawkbit/index.js';
import type { TrustedSourceOptions } from '../update/trust/index.js';

export interface SourceOptions {
  readonly config: () => Config;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
}

/** Under state.dir: slots, journal and trusted metadata of language models. */
export const languageFolder = ({ state }: Config) => join(state.dir, 'language');

export function repositoryOf({ config, clock }: SourceOptions): BundleSource | null {
  const { update, state } = config();
  const { channel } = update;
  return sourceOf(config(), clock, { channel, stateDir: join(state.dir, 'trust') });
}

/** Its metadata is its own: neither kind can hold the other's up. */
export function languageRepositoryOf({ config, clock }: SourceOptions): BundleSource | null {
  const { channel } = config().update.language;
  const stateDir = join(languageFolder(config()), 'trust');
  return sourceOf(config(), clock, { channel, stateDir, kind: 'language-model' });
}

function sourceOf(
  { update: { url, rootPath, caFile } }: Config,
  clock: Clock,
  of: Pick<TrustedSourceOptions, 'channel' | 'stateDir' | 'kind'>,
): BundleSource | null {
  if (url === '') return null;
  return new LazySource(async () => {
    const ca = caFile === '' ? {} : { ca: readSecret(caFile, 'update.caFile') };
    const { TrustedSource } = await import('../update/trust/index.js');
    return TrustedSource.open({ rootPath, url, clock, ...of, ...ca });
  });
}

/** Eclipse hawkBit says which bundle to try; its secrets are read each time they are needed. */
export async function hawkbitOf(options: SourceOptions): Promise<HawkbitTrigger> {
  const { config, clock, random, log } = options;
  const { DdiClient, HawkbitTrigger } = await import('../update/hawkbit/index.js');
  const { update, state, device } = config();
  const { url, tenant, token, tokenFile, caFile } = update.hawkbit;
  const controllerId = update.hawkbit.controllerId === '' ? device.id : update.hawkbit.controllerId;
  const scheme = token === 'gateway' ? 'GatewayToken' : 'TargetToken';
  const client = new DdiClient({
    url,
    tenant,
    controllerId,
    clock,
    authorization: () =>
      tokenFile === ''
        ? undefined
        : `${scheme} ${readSecret(tokenFile, 'update.hawkbit.tokenFile')}`,
    ca: () => (caFile === '' ? undefined : readSecret(caFile, 'update.hawkbit.caFile')),
  });
  return new HawkbitTrigger({
    client,
    attributes: () => ({
      device: device.id,
      kikitori: agentVersion,
      arch: arch(),
      channel: update.channel,
      groups: update.groups,
      ...(update.language.trigger === 'hawkbit' ? { language: update.language.channel } : {}),
    }),
    stateFolder: join(state.dir, 'update'),
    disk: realDisk,
    clock,
    random,
    log: log.child({ trigger: 'hawkbit' }),
  });
}
