import { execFile } from 'node:child_process';

/** Messages waiting to be told; more than this means that systemd-notify hangs, and the newest is left out. */
const waitingMax = 20;
const sendTimeoutMs = 5000;

/**
 * Tells systemd (Type=notify). Node has no unix datagrams, so each message is one short run of
 * systemd-notify, one after the other, so that they arrive in order. Without NOTIFY_SOCKET, as in a
 * terminal, nothing happens.
 */
export class ServiceNotifier {
  private readonly active: boolean;
  /** Time within which the watchdog wants a sign, or undefined. */
  readonly watchdogMs: number | undefined;
  private sending: Promise<void> = Promise.resolve();
  private waiting = 0;

  constructor(private readonly env: Readonly<Record<string, string | undefined>>) {
    this.active = env['NOTIFY_SOCKET'] !== undefined;
    const usec = Number(env['WATCHDOG_USEC']);
    this.watchdogMs = this.active && usec > 0 ? usec / 1000 : undefined;
  }

  ready(status: string): void {
    this.send(['--ready', `--status=${status}`]);
  }

  status(status: string): void {
    this.send([`--status=${status}`]);
  }

  watchdog(): void {
    this.send(['WATCHDOG=1']);
  }

  stopping(): void {
    this.send(['STOPPING=1']);
  }

  private send(args: string[]): void {
    if (!this.active || this.waiting >= waitingMax) return;
    this.waiting++;
    this.sending = this.sending.then(
      () =>
        new Promise((resolve) => {
          const env = { ...process.env, ...this.env };
          // Failure is shown by the watchdog itself: nothing arrives, the service is restarted.
          execFile('systemd-notify', args, { timeout: sendTimeoutMs, env }, () => {
            this.waiting--;
            resolve();
          });
        }),
    );
  }
}
