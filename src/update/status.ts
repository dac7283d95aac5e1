import type { Offer } from './source.js';
import type { UpdateState } from './state.js';

/** The retained message on `<base>/<device>/update`; publish/contract/update.ts is its schema. */
export interface UpdateStatus {
  readonly state: UpdateState['phase'];
  /** Percent of the download, while there is one. */
  readonly progress: number | null;
  readonly installedVersion: string;
  /** What the channel offers; null while nothing is known. */
  readonly latestVersion: string | null;
  /** What the channel offers was not good on this board before: it is not taken unless a person says `retry`. */
  readonly latestRefused?: true;
  /** Of what the state is about. */
  readonly deployment: string | null;
  readonly since: string;
  /** A code; docs/updates.md has the list. */
  readonly reason?: string;
  /** Why the repository or the trigger could not be asked at the last check; a code of docs/fleet.md or docs/hawkbit.md. */
  readonly checkReason?: string;
  /** For people. */
  readonly error?: string;
}

export function statusOf(
  state: UpdateState,
  seen: {
    readonly installedVersion: string;
    readonly latest: Offer | null;
    readonly progress: number | null;
    /** Why the repository could not be asked, if so. */
    readonly checkError: string;
    readonly checkReason: string;
  },
): UpdateStatus {
  const bad = ['failed', 'rejected', 'rolled-back'].includes(state.phase);
  const error = seen.checkError === '' && bad ? state.detail : seen.checkError;
  return {
    state: state.phase,
    progress: state.phase === 'downloading' ? seen.progress : null,
    installedVersion: seen.installedVersion,
    latestVersion: seen.latest?.bundle.version ?? null,
    ...(isRefused(state, seen.latest) ? { latestRefused: true } : {}),
    deployment: state.offer?.deployment ?? null,
    since: new Date(state.sinceMs).toISOString(),
    ...(state.reason === null ? {} : { reason: state.reason }),
    ...(seen.checkReason === '' ? {} : { checkReason: seen.checkReason }),
    ...(error === '' ? {} : { error }),
  };
}

const isRefused = (state: UpdateState, offer: Offer | null) =>
  state.refused.some(({ sha256 }) => sha256 === offer?.bundle.sha256);
