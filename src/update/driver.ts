import { codeOf, KikitoriError, messageOf } from '../runtime/errors.js';
import { agentVersion } from '../runtime/version.js';
import { diskReason } from './disk.js';
import { changeovers, livedEveryMs, optional, saveEveryMs } from './driver-rules.js';
import type { Journal } from './journal.js';
import { isBusy, transition, type Action, type Fault, type UpdateEvent } from './machine.js';
import { faultOf, type Hears, type UpdaterOptions } from './ports.js';
import type { Place, Slots } from './slots.js';
import type { Offer } from './source.js';
import type { UpdateState } from './state.js';
import { forgetting, nothingHeard, sum, type Statistics } from './trial.js';
import type { Gate } from './trigger.js';
import { isOpen } from './window.js';

const downloadMsMax = 12 * 3_600_000;

/**
 * Performs what the machine says: writes the journal, then acts. One event after the other; what
 * takes long (download, self-test) runs beside and comes back as an event.
 */
export class Driver {
  hears: Hears | null = null;
  /** Of what hears now, since long; during a trial, of its predecessor. */
  statistics: Statistics = nothingHeard;
  /** Percent of the download. */
  progress = 0;
  /** The journal could not be written last time. */
  unsaved = false;
  /** When the trigger lets a tried bundle become current. */
  gate: Gate = 'open';
  /** The candidate that has passed its self-test and waits for the window. */
  probed: string | null = null;
  /** It is being opened. */
  opening = false;
  /** The state names a bundle that does not hear yet: nothing is said until it does. */
  changingOver = false;
  private queue: Promise<void> = Promise.resolve();
  /** Actions found at the start, until the agent is built. */
  private held: Action[] | null = [];
  private pending: Statistics = nothingHeard;
  private countedMs: number;
  private savedMs = 0;
  /** Running time that the journal does not know of. */
  private livedMs = 0;
  private background: AbortController | null = null;
  /** The download or self-test that runs beside. */
  private beside: Promise<unknown> = Promise.resolve();
  private stopped = false;
  /** The end of the process is wanted. */
  private leaving = false;
  private saving: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly options: UpdaterOptions,
    readonly slots: Slots,
    readonly journal: Journal,
    public state: UpdateState,
    private readonly onChange: () => void,
  ) {
    this.countedMs = options.clock.monotonic();
  }

  async begin(): Promise<void> {
    const held = this.held ?? [];
    this.held = null;
    await this.serially(() => this.perform(held));
  }

  /**
   * Whatever ends the process from now on is no crash. Written before what is under way is over, which may be
   * a bundle that takes long to open: who wants the end may not wait for it.
   */
  async leave(): Promise<void> {
    if (this.leaving) return;
    this.leaving = true;
    this.stopped = true;
    this.background?.abort();
    await this.save();
  }

  async stop(): Promise<void> {
    await this.leave();
    await this.flush();
    await this.dispatch({ type: 'stop' });
    await this.saveStatistics();
  }

  /** Resolves when nothing is under way. */
  async settled(): Promise<void> {
    for (;;) {
      const { queue, beside } = this;
      await Promise.all([queue, beside]);
      if (queue === this.queue && beside === this.beside) return;
    }
  }

  count(statistics: Partial<Statistics>): void {
    this.pending = sum(this.pending, { ...nothingHeard, ...statistics });
  }

  /** Moves what was counted to where it belongs. */
  async flush(): Promise<void> {
    const statistics = this.pending;
    this.pending = nothingHeard;
    const now = this.options.clock.monotonic();
    const elapsedMs = now - this.countedMs;
    this.countedMs = now;
    if (this.state.phase === 'trial')
      await this.dispatch({ type: 'observed', statistics, elapsedMs });
    else {
      this.statistics = forgetting(sum(this.statistics, statistics));
      await this.live(elapsedMs);
    }
  }

  private async live(elapsedMs: number): Promise<void> {
    this.livedMs += elapsedMs;
    if (this.state.settling === null || (this.livedMs < livedEveryMs && !this.stopped)) return;
    const elapsed = this.livedMs;
    this.livedMs = 0;
    await this.dispatch({ type: 'lived', elapsedMs: elapsed });
  }

  /** A candidate passed its self-test and waits for the maintenance window. */
  get waits(): boolean {
    const { phase, offer } = this.state;
    return phase === 'verified' && !this.opening && this.probed === offer?.deployment;
  }

  /** What could not be read at the start is taken over as soon as it can be. */
  saveAgain(bootId: string): Promise<void> {
    return this.serially(async () => {
      if (this.journal.known) return void (await this.save());
      const state = await this.journal.load(this.slots);
      if (!this.journal.known) return void (await this.save());
      await this.slots.open();
      this.state = state;
      await this.apply({ type: 'start', bootId });
      const { current } = this.state;
      if (current !== this.hears?.place) await this.changeOver(() => this.goBack(current));
    });
  }

  async loadStatistics(): Promise<void> {
    this.statistics = await this.journal.loadStatistics(this.digest);
  }

  get mayChange(): boolean {
    if (this.options.beside?.()?.changing === true) return false;
    if (this.gate !== 'open') return this.gate === 'forced';
    return isOpen(this.options.window, new Date(this.options.clock.now()));
  }

  get digest(): string {
    return this.state.installed?.bundle.sha256 ?? 'factory';
  }

  async pathOf(place: Place): Promise<string> {
    return place === 'factory' ? this.options.factoryPath : (await this.slots.verified(place)).path;
  }

  dispatch(event: UpdateEvent): Promise<void> {
    return this.serially(() => this.apply(event));
  }

  serially(action: () => Promise<void>): Promise<void> {
    const next = this.queue.then(action).catch((error: unknown) => {
      // Nothing of an update may end the process that hears.
      this.options.log.error(
        { event: 'update.internal', why: messageOf(error) },
        'a step of the update failed',
      );
    });
    this.queue = next;
    return next;
  }

  private async apply(event: UpdateEvent): Promise<void> {
    const { clock, rules } = this.options;
    const before = this.state;
    const { state, actions } = transition(before, event, { nowMs: clock.now(), rules });
    const lazy = event.type === 'observed' && state.phase === before.phase;
    const due = !lazy || clock.monotonic() - this.savedMs >= saveEveryMs;
    if (state !== before) {
      this.state = state;
      const fault = due ? await this.save() : null;
      if (fault !== null && optional.has(event.type)) {
        this.state = before;
        await this.giveUp(before, fault);
        return;
      }
    }
    const changesOver = this.held === null && actions.some(({ type }) => changeovers.has(type));
    if (changesOver) this.changingOver = true;
    if (state.phase !== before.phase || state.current !== before.current) this.turned(before);
    await this.perform(actions);
  }

  /** A step forward was impossible for want of disk: the offer is left, in memory at least. */
  private async giveUp(before: UpdateState, fault: Fault): Promise<void> {
    const deployment = before.offer?.deployment;
    if (deployment !== undefined && isBusy(before.phase) && before.phase !== 'trial')
      await this.apply({ type: 'failed', deployment, fault });
  }

  private turned(before: UpdateState): void {
    const { phase, offer, reason, detail } = this.state;
    if (phase === 'trial') {
      this.pending = nothingHeard;
      this.countedMs = this.options.clock.monotonic();
    }
    this.livedMs = 0;
    if (phase === 'committed') this.statistics = this.state.trial?.statistics ?? nothingHeard;
    else if (before.phase === 'trial') this.statistics = before.trial?.before ?? nothingHeard;
    else if (before.current !== this.state.current && phase !== 'trial')
      this.statistics = nothingHeard;
    if (phase !== 'verified') this.probed = null;
    this.progress = 0;
    const level = ['failed', 'rejected', 'rolled-back'].includes(phase) ? 'warn' : 'info';
    this.options.log[level](
      {
        event: `update.${phase}`,
        deployment: offer?.deployment,
        version: offer?.bundle.version,
        reason: reason ?? undefined,
        detail: detail === '' ? undefined : detail,
      },
      `update: ${phase}`,
    );
    this.onChange();
  }

  /** Null when the journal is on disk. One at a time, each with the newest state. */
  private save(): Promise<Fault | null> {
    const next = this.saving.then(() => this.saveNow());
    this.saving = next;
    return next;
  }

  private async saveNow(): Promise<Fault | null> {
    const { state } = this;
    const run = { ...state.run, clean: state.run.clean || this.leaving };
    try {
      await this.journal.save({ ...state, run });
      this.unsaved = false;
      this.savedMs = this.options.clock.monotonic();
      return null;
    } catch (error) {
      this.unsaved = true;
      const detail = `the journal could not be written: ${messageOf(error)}`;
      this.options.log.error({ event: 'update.journal-failed', why: messageOf(error) }, detail);
      return { reason: diskReason(error) ?? 'storage', detail };
    }
  }

  /** Not during a trial: those are in the journal. */
  async saveStatistics(): Promise<void> {
    if (this.state.phase === 'trial') return;
    await this.journal.saveStatistics(this.digest, this.statistics).catch(() => undefined);
  }

  private async perform(actions: readonly Action[]): Promise<void> {
    for (const action of actions) {
      if (this.held !== null) this.held.push(action);
      else await this.act(action);
    }
  }

  private async act(action: Action): Promise<void> {
    const { hearing, onEvent, clock } = this.options;
    switch (action.type) {
      case 'download':
        return this.download(action.offer);
      case 'cancel':
        this.background?.abort();
        return;
      case 'store':
        return this.store(action);
      case 'probe':
        return this.probe(action);
      case 'prepare':
        return this.prepare(action);
      case 'switch':
        return this.changeOver(async () => void (this.hears = hearing.switchOver()));
      case 'discard':
        return hearing.discard();
      case 'point':
        return this.slots.point(this.state.current).catch((error: unknown) => {
          // The journal is what counts; the pointer follows at the next start.
          this.options.log.warn(
            { event: 'update.point-failed', why: messageOf(error) },
            'the pointer could not be written',
          );
        });
      case 'return':
        return this.changeOver(() => this.goBack(action.place));
      case 'evidence':
        return this.journal
          .evidence(action.of, agentVersion, new Date(clock.now()).toISOString())
          .catch((error: unknown) => {
            this.options.log.warn(
              { event: 'update.evidence-failed', why: messageOf(error) },
              'the evidence could not be kept',
            );
          });
      case 'announce': {
        const { offer, reason, detail } = this.state;
        onEvent(action.event, {
          deployment: offer?.deployment,
          version: offer?.bundle.version,
          installedVersion: this.hears?.version,
          ...(reason === null ? {} : { reason }),
          detail,
        });
      }
    }
  }

  private download(offer: Offer): void {
    const { source, clock } = this.options;
    const { deployment } = offer;
    this.background?.abort();
    const controller = new AbortController();
    this.background = controller;
    const fail = (detail: string, reason: Fault['reason'] = 'download-failed') =>
      this.dispatch({ type: 'failed', deployment, fault: { reason, detail } });
    if (source === null) {
      void fail('updates are off');
      return;
    }
    const cancel = clock.after(downloadMsMax, () => controller.abort());
    const onProgress = (bytes: number) => {
      const percent = Math.min(100, Math.floor((100 * bytes) / offer.bundle.bytes));
      if (percent < this.progress + 5 || this.state.phase !== 'downloading') return;
      this.progress = percent;
      this.onChange();
    };
    this.beside = source
      .download(offer, onProgress, controller.signal)
      .then((path) => this.dispatch({ type: 'downloaded', deployment, path }))
      .catch((error: unknown) => {
        if (this.stopped) return undefined;
        // Bytes that were signed and are no bundle are the bundle's fault; all else is on the way.
        const detail = messageOf(error);
        return codeOf(error) === 'bad-bundle'
          ? this.dispatch({ type: 'unfit', deployment, fault: { reason: 'damaged', detail } })
          : fail(detail, diskReason(error) ?? 'download-failed');
      })
      .finally(cancel);
  }

  private async store({ offer, slot, path }: Action & { type: 'store' }): Promise<void> {
    const { name, version, sha256, bytes } = offer.bundle;
    const { deployment } = offer;
    try {
      await this.slots.store(slot, path, { format: 1, name, version, sha256, bytes, deployment });
    } catch (error) {
      const reason = diskReason(error) ?? 'storage';
      await this.apply({ type: 'failed', deployment, fault: { reason, detail: messageOf(error) } });
      return;
    }
    await this.apply({ type: 'stored', deployment });
  }

  private probe({ offer, slot }: Action & { type: 'probe' }): void {
    const { hearing } = this.options;
    const { deployment } = offer;
    this.background?.abort();
    const controller = new AbortController();
    this.background = controller;
    const probing = async (): Promise<UpdateEvent> => {
      const { path, record } = await this.slots.verified(slot);
      if (record.sha256 !== offer.bundle.sha256)
        throw new KikitoriError('the slot holds another bundle', { kind: 'storage' });
      const fault = await hearing.probe(path, controller.signal);
      if (fault === null) return { type: 'probed', deployment, mayChange: this.mayChange };
      return { type: fault.ours ? 'failed' : 'unfit', deployment, fault };
    };
    this.beside = probing()
      .catch((error: unknown): UpdateEvent => {
        return {
          type: 'failed',
          deployment,
          fault: { reason: 'storage', detail: messageOf(error) },
        };
      })
      .then((event) => {
        if (controller.signal.aborted) return undefined;
        if (event.type === 'probed') this.probed = deployment;
        return this.dispatch(event);
      });
  }

  private async prepare({ offer, slot }: Action & { type: 'prepare' }): Promise<void> {
    const { deployment } = offer;
    this.opening = true;
    try {
      const { path } = await this.slots.verified(slot);
      await this.options.hearing.prepare(slot, path);
    } catch (error) {
      const { ours, ...fault } = faultOf(error);
      await this.apply({ type: ours ? 'failed' : 'unfit', deployment, fault });
      return;
    } finally {
      this.opening = false;
    }
    await this.settle();
    await this.apply({ type: 'prepared', deployment, before: this.statistics });
  }

  /** Inside an action: what was counted so far belongs to the predecessor. */
  private async settle(): Promise<void> {
    this.statistics = forgetting(sum(this.statistics, this.pending));
    this.pending = nothingHeard;
    await this.saveStatistics();
  }

  /** Said when it is over, and so what is said of it is true. */
  private async changeOver(change: () => Promise<void>): Promise<void> {
    try {
      await change();
    } finally {
      this.changingOver = false;
      this.onChange();
    }
  }

  /** Opens what is to hear again; if it cannot be opened, the factory's; else what hears goes on. */
  private async goBack(wanted: Place): Promise<void> {
    const { hearing, log } = this.options;
    let detail = '';
    for (const place of new Set<Place>([wanted, 'factory'])) {
      try {
        await hearing.prepare(place, await this.pathOf(place));
        this.hears = hearing.switchOver();
        if (place !== wanted) await this.apply({ type: 'fell-back', place, detail });
        return;
      } catch (error) {
        detail = messageOf(error);
        log.warn(
          { event: 'update.return-failed', place, why: detail },
          'a bundle to go back to could not be opened',
        );
      }
    }
    if (this.hears !== null)
      await this.apply({ type: 'fell-back', place: this.hears.place, detail });
  }
}
