import type { State } from './load.js';

export interface ExpiryWarning {
  readonly role: string;
  readonly expires: string;
  /** Negative when it is over. */
  readonly daysLeft: number;
  readonly message: string;
}

const dayMs = 86_400_000;
/** Said when less than this part of a role's life is left. */
const lastPart = 1 / 3;

/** Every role that needs signing again soon, the most urgent first. */
export function expiryWarnings(state: State, nowMs: number): ExpiryWarning[] {
  const roles: [string, { expires: string; issued_at: string }][] = [
    ['root', state.root.json],
    ['targets', state.targets.json],
    ['snapshot', state.snapshot.json],
    ['timestamp', state.timestamp.json],
    ...[...state.delegated].map(([name, file]) => [name, file.json] as [string, typeof file.json]),
  ];
  return roles
    .flatMap(([role, { expires, issued_at }]) => {
      const leftMs = Date.parse(expires) - nowMs;
      const lifeMs = Date.parse(expires) - Date.parse(issued_at);
      if (leftMs > lifeMs * lastPart) return [];
      const daysLeft = Math.floor(leftMs / dayMs);
      const when = leftMs < 0 ? `expired on ${expires}` : `expires in ${daysLeft} day(s)`;
      const what =
        role === 'root'
          ? 'run `kikitori fleet refresh --root` with the root keys'
          : ['targets', 'snapshot', 'timestamp'].includes(role)
            ? 'run `kikitori fleet refresh`'
            : `the publisher ${role} must publish again`;
      return [{ role, expires, daysLeft, message: `${role} ${when}: ${what}` }];
    })
    .sort((a, b) => a.daysLeft - b.daysLeft);
}
