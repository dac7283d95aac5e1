import { execFile } from 'node:child_process';

/**
 * Tells systemd (Type=notify). Node has no unix datagrams, so each message is one short run of
 * systemd-notify. Without NOTIFY_SOCKET, as in a terminal, nothing happens.
 */
export class ServiceNotifier {
  private readonly active: boolean;
  /** Time within which the watchdog wants a sign, or undefined. */
  readonly watchdogMs: number | undefined;

  constructor(env: Readonly<Record<string, string | undefined>>) {
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
    if (!this.active) return;
    // Failure is shown by the watchdog itself: nothing arrives, the service is restarted.
    execFile('systemd-notify', args, { timeout: 5000 }, () => undefined);
  }
}
