import type { Clock } from '../../runtime/clock.js';
import { codeOf, messageOf } from '../../runtime/errors.js';
import type { Log } from '../../runtime/log.js';
import type { Disk } from '../disk.js';
import type { UpdateStatus } from '../status.js';
import type { Decision } from '../policy.js';
import type { Wanted } from '../source.js';
import { isElsewhere, type Board, type Gate, type UpdateTrigger } from '../trigger.js';
import type { DdiClient } from './client.js';
import { DdiError, type DdiArtifact, type DdiDeployment, type Feedback } from './ddi.js';
import { closed, feedbackOf, keyOf } from './feedback.js';
import { OrderFile, orderOf, type Order } from './order.js';

export interface HawkbitOptions {
  readonly client: DdiClient;
  /** What hawkBit is told of this device when it asks. */
  readonly attributes: () => Readonly<Record<string, string>>;
  /** state/update. */
  readonly stateFolder: string;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** First wait after a failure, doubled with each; tests make it small. */
  readonly backoffMs?: number;
}

/** Used until the server has said how long to sleep, and when it says nothing that can be understood. */
const defaultSleepMs = 300_000;
const sleepMsMin = 1000;
const sleepMsMax = 7 * 86_400_000;
const firstPollMsMax = 5000;
const defaultBackoffMs = 10_000;
const backoffMsMax = 3_600_000;
/** A bundle that fails for this board's own reasons so often is given up, and hawkBit is told. */
const attemptsMax = 5;
const waiting = ['downloading', 'verified'];
const busy = [...waiting, 'trial'];
/** The repository cannot be asked: says nothing about the order. */
const passing =
  /^(unreachable|http-status|redirected|tls|too-slow|timed-out|cut-off|busy|clock-behind)$/;

/**
 * hawkBit as the trigger: polls its Direct Device Integration API, tries what it assigns, tells how it
 * went; of model bundles, and of language models where those are to come by it too. One thing after the other; what the server must hear is on disk before it is sent.
 */
export class HawkbitTrigger implements UpdateTrigger {
  readonly firstGate = 'held';
  /** Of model bundles, then of language models. */
  private readonly boards: Board[] = [];
  private boardsExpected = 1;
  private order: Order | null = null;
  private loaded = false;
  private sleepMs = defaultSleepMs;
  private failures = 0;
  private stopped = false;
  private queue: Promise<unknown> = Promise.resolve();
  private cancelTimer: () => void = () => undefined;
  private readonly file: OrderFile;

  constructor(private readonly options: HawkbitOptions) {
    this.file = new OrderFile(options.stateFolder, options.disk);
  }

  /**
   * For the updater of language models, asked for before anything begins: what is assigned may be one too. Which kind it is
   * says the repository, never hawkBit.
   */
  beside(): UpdateTrigger {
    this.boardsExpected++;
    return {
      firstGate: this.firstGate,
      begin: (board) => this.begin(board),
      heard: (status) => this.heard(status),
      ask: this.ask,
      // Who owns this one stops it.
      stop: async () => undefined,
    };
  }

  begin(board: Board): void {
    this.boards.push(board);
    if (this.ready) this.schedule(this.options.random() * firstPollMsMax);
  }

  heard(status: UpdateStatus): void {
    if (this.loaded && status.deployment !== this.order?.deployment) return;
    void this.serially(() => this.guarded(() => this.report())).then((error) => {
      if (error !== undefined) this.schedule(this.backoffMs(error));
    });
  }

  /** Polls now; rejects when hawkBit could not be asked. */
  ask = async (): Promise<void> => {
    const error = await this.serially(() => this.cycle());
    if (error instanceof Error) throw error;
  };

  async stop(): Promise<void> {
    this.stopped = true;
    this.cancelTimer();
    this.options.client.close();
  }

  private serially<T>(action: () => Promise<T>): Promise<T> {
    const next = this.queue.then(action);
    this.queue = next.catch(() => undefined);
    return next;
  }

  private schedule(ms: number): void {
    this.cancelTimer();
    if (this.stopped) return;
    this.cancelTimer = this.options.clock.after(ms, () => void this.serially(() => this.cycle()));
  }

  /** One poll. Resolves to what went wrong. */
  private async cycle(): Promise<unknown> {
    const error = await this.guarded(async () => {
      await this.report();
      await this.look();
    });
    // Never earlier than the server wants; a little later, so that a fleet does not come at once.
    const regular = this.sleepMs * (1 + 0.1 * this.options.random());
    this.schedule(error === undefined ? regular : this.backoffMs(error));
    return error;
  }

  /** Shows a failure, and takes it back when hawkBit answers again. */
  private async guarded(action: () => Promise<void>): Promise<unknown> {
    const { log } = this.options;
    if (this.stopped || !this.ready) return undefined;
    try {
      if (!this.loaded) {
        this.order = await this.file.load();
        this.loaded = true;
      }
      await action();
    } catch (error) {
      if (this.stopped) return undefined;
      this.failures++;
      this.complain(codeOf(error) ?? 'hawkbit-failed', messageOf(error));
      if (this.failures === 1)
        log.warn({ event: 'hawkbit.failed', why: messageOf(error) }, 'hawkBit could not be asked');
      return error;
    }
    for (const board of this.boards) board.answered();
    if (this.failures > 0) {
      log.info({ event: 'hawkbit.back', failures: this.failures }, 'hawkBit answers again');
      this.complain('', '');
    }
    this.failures = 0;
    return undefined;
  }

  /** Doubles with each failure in a row; half of it is chance. */
  private backoffMs(error: unknown): number {
    const { random, backoffMs = defaultBackoffMs } = this.options;
    const wait = Math.min(backoffMs * 2 ** Math.min(this.failures - 1, 20), backoffMsMax);
    const asked = error instanceof DdiError ? error.retryAfterMs : 0;
    return Math.max(asked, wait * (0.5 + random() / 2));
  }

  private async look(): Promise<void> {
    const { client, attributes } = this.options;
    const base = await client.base();
    this.sleepMs = Math.min(Math.max(base.sleepMs ?? defaultSleepMs, sleepMsMin), sleepMsMax);
    if (base.wantsConfig) await client.config(attributes());
    if (base.cancelId !== null) return this.cancel(base.cancelId);
    if (base.deploymentId === null) return this.nothingToDo();
    const deployment = await client.deployment(base.deploymentId);
    if (this.order?.id !== deployment.id) await this.begins(deployment);
    await this.act(deployment);
  }

  private async begins({ id, update, window }: DdiDeployment): Promise<void> {
    if (waiting.includes(this.state)) await this.mine?.abort();
    await this.keep({ ...orderOf(id), downloadOnly: update === 'skip' && window === null });
    this.options.log.info({ event: 'hawkbit.assigned', action: id }, 'hawkBit assigned a bundle');
  }

  private async act(deployment: DdiDeployment): Promise<void> {
    const { order } = this;
    if (order === null) return;
    if (order.outcome !== null) {
      // It is told already and the server still lists it: told again.
      await this.keep({ ...order, told: '' });
      return this.report();
    }
    for (const board of this.boards) board.gate(gateOf(deployment));
    const { mine, state } = this;
    if (mine !== null && state !== 'failed') {
      if (!busy.includes(state)) await this.report();
      return;
    }
    if (deployment.download === 'skip')
      return this.tell({ execution: 'scheduled', finished: 'none', details: ['not yet wanted'] });
    const artifact = bundleIn(deployment);
    if (typeof artifact === 'string') return this.end(closed('failure', [artifact]));
    if (mine !== null && order.attempts >= attemptsMax) {
      const { reason = '', error = '' } = mine.status;
      return this.end(closed('failure', [`failed ${order.attempts} times: ${reason}`, error]));
    }
    await this.take(order, artifact);
  }

  private async take(
    order: Order,
    { filename, name, version, sha256 }: DdiArtifact,
  ): Promise<void> {
    await this.keep({ ...order, attempts: order.attempts + 1 });
    const { deployment } = order;
    try {
      const decision = await this.offer({ deployment, file: filename, name, version, sha256 });
      if (decision.go) return;
      if (decision.reason === 'busy') await this.keep(order);
      else if (decision.reason === 'up-to-date')
        await this.end(closed('success', [decision.detail]));
      else await this.end(closed('failure', [`${decision.reason}: ${decision.detail}`]));
    } catch (error) {
      // What hawkBit says is fine; the signed repository is what could not be asked, or says no.
      const why = messageOf(error);
      const code = codeOf(error) ?? '';
      if (passing.test(code)) await this.keep(order);
      else if (order.attempts + 1 >= attemptsMax) return this.end(closed('failure', [code, why]));
      await this.tell({ execution: 'proceeding', finished: 'none', details: [`${code}: ${why}`] });
    }
  }

  /** To the board of its kind, as the repository has signed it. */
  private async offer(wanted: Wanted): Promise<Decision> {
    const { mine, boards } = this;
    if (mine !== null || boards.length === 1) return (mine ?? this.first).take(wanted);
    const refusals: { readonly board: Board; readonly error: unknown }[] = [];
    for (const board of boards) {
      try {
        const decision = await board.take(wanted, { elsewhere: true });
        for (const { board: other } of refusals) other.complain('', '');
        return decision;
      } catch (error) {
        if (!isElsewhere(error)) throw error;
        refusals.push({ board, error });
      }
    }
    // Of no kind that is taken here: the one that knows of it says more.
    const told = refusals.find(({ error }) => codeOf(error) !== 'not-signed') ?? refusals[0];
    told?.board.complain(codeOf(told.error) ?? '', messageOf(told.error));
    throw told?.error;
  }

  private async cancel(cancelId: string): Promise<void> {
    const { client, log } = this.options;
    const stopId = await client.cancelled(cancelId);
    const { order } = this;
    const meant = order?.id === stopId ? order : null;
    const installed = meant?.outcome?.finished === 'success' || this.state === 'committed';
    if (meant !== null && meant.outcome === null && !installed) {
      if (busy.includes(this.state)) await this.mine?.abort();
      const outcome = closed('failure', ['cancelled']);
      // The server knows: it is told on the channel of the cancellation alone.
      await this.keep({ ...meant, outcome, told: keyOf(outcome) });
    }
    const late = meant !== null && installed;
    await client.feedback(
      'cancelAction',
      cancelId,
      late
        ? { execution: 'rejected', finished: 'failure', details: ['it is committed already'] }
        : closed('success', ['stopped']),
    );
    log.info({ event: 'hawkbit.cancelled', action: stopId, late }, 'hawkBit cancelled an action');
  }

  /** An action that has gone without being cancelled (forced at the server) is given up while it can be. */
  private async nothingToDo(): Promise<void> {
    const { order, mine } = this;
    if (order === null || order.outcome !== null || mine === null) return;
    if (!waiting.includes(mine.status.state) || order.downloadOnly) return;
    await mine.abort();
    const outcome = closed('failure', ['the server forgot it']);
    await this.keep({ ...order, outcome, told: keyOf(outcome) });
  }

  /** Tells the state of the board, if it is about hawkBit's order and is news. */
  private async report(): Promise<void> {
    const { order } = this;
    if (order === null) return;
    const { mine } = this;
    const feedback = order.outcome ?? (mine === null ? null : feedbackOf(mine.status));
    if (feedback === null) return;
    if (order.outcome === null && feedback.execution === 'closed') return this.end(feedback);
    await this.tell(feedback);
  }

  private async end(outcome: Feedback): Promise<void> {
    if (this.order === null) return;
    await this.keep({ ...this.order, outcome });
    await this.tell(outcome);
  }

  private async tell(feedback: Feedback): Promise<void> {
    const { order } = this;
    const key = keyOf(feedback);
    if (order === null || order.told === key) return;
    const wanted = await this.options.client.feedback('deploymentBase', order.id, feedback);
    if (!wanted)
      this.options.log.info(
        { event: 'hawkbit.gone', action: order.id },
        'hawkBit wants to hear no more of this action',
      );
    await this.keep({ ...order, told: key });
  }

  private async keep(order: Order): Promise<void> {
    this.order = order;
    await this.file.save(order);
  }

  /** Every board that may be told of has begun. */
  private get ready(): boolean {
    return this.boards.length === this.boardsExpected;
  }

  private complain(reason: string, error: string): void {
    for (const board of this.boards) board.complain(reason, error);
  }

  private get first(): Board {
    const [board] = this.boards;
    if (board === undefined) throw new Error('the trigger has not begun');
    return board;
  }

  /** The board whose state is about the newest order. */
  private get mine(): Board | null {
    const { order } = this;
    if (order === null) return null;
    return this.boards.find(({ status }) => status.deployment === order.deployment) ?? null;
  }

  /** Of the newest order; '' where no board has taken it. */
  private get state(): UpdateStatus['state'] | '' {
    return this.mine?.status.state ?? '';
  }
}

function gateOf({ update, window }: DdiDeployment): Gate {
  if (update === 'skip' || window === 'unavailable') return 'held';
  return update === 'forced' ? 'forced' : 'open';
}

/** The one bundle of an assignment, or what is wrong with it. */
function bundleIn({ artifacts }: DdiDeployment): DdiArtifact | string {
  const bundles = artifacts.filter((a) => a.filename.endsWith('.tar'));
  const [bundle] = bundles;
  if (bundle === undefined || bundles.length > 1)
    return `the assignment holds ${bundles.length} files that end in .tar, expected one bundle`;
  if (!/^[0-9a-f]{64}$/.test(bundle.sha256)) return 'the assignment gives no SHA-256';
  return bundle;
}
