import { codeOf, KikitoriError, messageOf } from '../runtime/errors.js';
import { Timers } from '../runtime/timers.js';
import { agentVersion } from '../runtime/version.js';
import { ActivityCounter } from './activity.js';
import { realDisk } from './disk.js';
import { Driver } from './driver.js';
import { Journal } from './journal.js';
import { canRollBack, isBusy } from './machine.js';
import { decide, type Decision } from './policy.js';
import type { Hears, UnderWay, UpdaterOptions } from './ports.js';
import { Slots, type Place } from './slots.js';
import type { Offer, Wanted } from './source.js';
import { statusOf, type UpdateStatus } from './status.js';
import { nothingHeard } from './trial.js';
import { isElsewhere, PollTrigger, type Board, type UpdateTrigger } from './trigger.js';

const saveStatisticsEveryMs = 600_000;
const checkMsMax = 10 * 60_000;
const stuckFor: ReadonlySet<string> = new Set(['agent-too-old', 'needs-language-model']);

interface Asked {
  readonly explicit: boolean;
  readonly retry: boolean;
}

/**
 * The update stage as the agent sees it: what should hear at the start, what was heard since, requests,
 * and the regular question to the repository. The work is the driver's.
 */
export class Updater {
  private latest: Offer | null = null;
  private checkError = '';
  private checkReason = '';
  private answeredMs: number | null = null;
  private asking: Promise<Offer | null> | null = null;
  private activity: ActivityCounter | null = null;
  private statisticsSavedMs: number;
  private begun = false;
  private stopped = false;
  private readonly timers: Timers;
  private readonly trigger: UpdateTrigger | null;

  private constructor(
    private readonly options: UpdaterOptions,
    private readonly driver: Driver,
  ) {
    this.timers = new Timers(options.clock);
    this.statisticsSavedMs = options.clock.monotonic();
    this.trigger = options.source === null ? null : (options.trigger ?? new PollTrigger(options));
    driver.gate = this.trigger?.firstGate ?? 'open';
  }

  /** Reads the journal and decides what should hear; nothing else happens before `begin`. */
  static async open(options: UpdaterOptions): Promise<Updater> {
    const { log, disk = realDisk } = options;
    const slots = new Slots(options.slotsFolder, disk, (slot, path, why) =>
      log.warn(
        { event: 'update.set-aside', slot, path, why },
        'a slot could not be read; it was set aside',
      ),
    );
    const journal = new Journal(options.stateFolder, disk, (path) =>
      log.warn(
        { event: 'update.journal-set-aside', path },
        'the journal of updates could not be read; a new one is begun',
      ),
    );
    await slots.open();
    const found = await journal.load(slots);
    // Where the disk takes nothing, an orderly end could not be written either: it is no sign of a crash.
    const silent = !found.run.clean && !(await journal.takes(found));
    const state = silent ? { ...found, run: { ...found.run, clean: true } } : found;
    const ref: { updater?: Updater } = {};
    const driver = new Driver(options, slots, journal, state, () => ref.updater?.publish());
    ref.updater = new Updater(options, driver);
    await driver.dispatch({ type: 'start', bootId: options.bootId });
    return ref.updater;
  }

  /**
   * Opens the current bundle with `open`, or the next best one: the previous, the factory's. Rejects
   * only when none can be opened, or for a fault that is not the bundle's.
   */
  async openCurrent(open: (place: Place, path: string) => Promise<Hears>): Promise<void> {
    const { current, previous } = this.driver.state;
    const faults: string[] = [];
    for (const place of new Set<Place>([current, previous ?? 'factory', 'factory'])) {
      try {
        this.driver.hears = await open(place, await this.driver.pathOf(place));
      } catch (error) {
        if (!(error instanceof KikitoriError && error.kind === 'bundle') || place === 'factory')
          throw error;
        faults.push(messageOf(error));
        this.options.log.warn(
          { event: 'update.unreadable', place, why: messageOf(error) },
          'a bundle could not be opened; the next best one hears',
        );
        continue;
      }
      if (place !== current)
        await this.driver.dispatch({ type: 'fell-back', place, detail: faults.join('; ') });
      await this.driver.loadStatistics();
      return;
    }
  }

  /** The agent hears and can publish: what the start left to do is done now, and checks begin. */
  async begin(): Promise<void> {
    this.begun = true;
    await this.driver.begin();
    this.publish();
    this.timers.every(this.options.tickMs, () => this.tick());
    this.trigger?.begin(this.board());
  }

  /** Says goodbye to the journal at once, so that the next start knows that this was no crash. */
  leave(): Promise<void> {
    return this.driver.leave();
  }

  /** What is under way is given up, and the next start goes on. */
  async stop(): Promise<void> {
    if (this.stopped) return;
    this.stopped = true;
    this.timers.cancel();
    await this.trigger?.stop();
    await this.driver.stop();
  }

  /** Resolves when no step, download or self-test is under way. */
  settled(): Promise<void> {
    return this.driver.settled();
  }

  get status(): UpdateStatus {
    return statusOf(this.driver.state, {
      installedVersion: this.driver.hears?.version ?? '',
      latest: this.latest,
      progress: this.driver.progress,
      checkError: this.checkError,
      checkReason: this.checkReason,
    });
  }

  /** Null: nothing is downloaded, tried or on trial. */
  get underWay(): UnderWay | null {
    const { phase, offer } = this.driver.state;
    if (!isBusy(phase)) return null;
    const what = `${offer?.bundle.name} ${offer?.bundle.version} is ${phase}`;
    return { what, changing: phase === 'trial' || this.driver.opening };
  }

  /** What hears with it is another: numbers from before compare nothing. */
  forget(): void {
    if (this.driver.state.phase !== 'trial') this.driver.statistics = nothingHeard;
  }

  /** When the repository or the trigger last answered, Unix ms; null before the first time. */
  get lastCheckMs(): number | null {
    return this.answeredMs;
  }

  /** What the bundle in `place` answered. */
  heard(place: Place, accepted: boolean, confidence: number): void {
    const { state } = this.driver;
    if (place !== state.current) return;
    this.driver.count({
      utterances: 1,
      refused: accepted ? 0 : 1,
      confidenceSum: confidence,
      confidenceSquares: confidence * confidence,
    });
    if (state.phase === 'trial') void this.driver.flush();
  }

  /** Audio that went through the bundle in `place`, and the time that it took. */
  audio(place: Place, samples: Float32Array, rateHz: number, computeMs: number): void {
    this.activity ??= new ActivityCounter(rateHz);
    const before = this.activity.bursts;
    this.activity.feed(samples);
    if (place !== this.driver.state.current) return;
    const bursts = this.activity.bursts - before;
    this.driver.count({ audioMs: (1000 * samples.length) / rateHz, computeMs, bursts });
  }

  /** The request `update` on MQTT: {action, retry?} in, the status with the answer out. */
  async request(payload: Readonly<Record<string, unknown>>): Promise<Record<string, unknown>> {
    switch (payload['action'] ?? 'check') {
      case 'check':
        if (this.trigger?.ask === undefined)
          return this.answer(await this.check({ explicit: false, retry: false }));
        await this.trigger.ask();
        return { ...this.status, available: isBusy(this.driver.state.phase) };
      case 'install':
        return this.install(payload['retry'] === true);
      case 'rollback':
        return this.rollback();
      case 'abort':
        return this.abort();
      default:
        throw new KikitoriError(`unknown action ${JSON.stringify(payload['action'])}`, {
          kind: 'input',
          expected: 'check, install, rollback or abort',
        });
    }
  }

  async rollback(): Promise<Record<string, unknown>> {
    const { state } = this.driver;
    if (state.phase === 'downloading' || state.phase === 'verified') {
      throw new KikitoriError(`an update is ${state.phase}`, {
        kind: 'input',
        hint: 'stop it with the action abort first',
      });
    }
    // Without a factory's, going back may mean to hear nothing at all: no person asks for that.
    const before = state.previous ?? 'factory';
    if (before === 'factory' && this.options.factoryPath === '' && state.phase !== 'trial')
      throw new KikitoriError('there is none before this one to go back to', { kind: 'input' });
    if (!canRollBack(state)) {
      throw new KikitoriError('the bundle that came with the installation hears already', {
        kind: 'input',
      });
    }
    await this.driver.dispatch({ type: 'roll-back', reason: 'requested' });
    return { ...this.status };
  }

  private async abort(): Promise<Record<string, unknown>> {
    if (!isBusy(this.driver.state.phase))
      throw new KikitoriError('no update is under way', { kind: 'input' });
    await this.driver.dispatch({ type: 'abort' });
    return { ...this.status };
  }

  private async install(retry: boolean): Promise<Record<string, unknown>> {
    if (this.driver.waits) {
      await this.driver.dispatch({ type: 'window-open' });
      return { ...this.status };
    }
    const decision = await this.check({ explicit: true, retry });
    if (!decision.go && !['up-to-date', 'busy'].includes(decision.reason))
      throw new KikitoriError(decision.detail, { kind: 'input' });
    return this.answer(decision);
  }

  private answer(decision: Decision): Record<string, unknown> {
    return {
      ...this.status,
      available: decision.go,
      ...(decision.go ? {} : { why: decision.reason, detail: decision.detail }),
    };
  }

  /** What a trigger may do. */
  private board(): Board {
    const statusNow = () => this.status;
    return {
      get status() {
        return statusNow();
      },
      check: () => this.check({ explicit: false, retry: false }),
      take: (wanted, more) => this.take(wanted, more?.elsewhere),
      gate: (gate) => {
        this.driver.gate = gate;
        this.openWindow();
      },
      abort: () => this.driver.dispatch({ type: 'abort' }),
      complain: (reason, error) => {
        if (this.checkReason === reason && this.checkError === error) return;
        this.checkReason = reason;
        this.checkError = error;
        this.publish();
      },
      answered: () => this.answered(),
    };
  }

  private async take(wanted: Wanted, elsewhere = false): Promise<Decision> {
    const { source } = this.options;
    const offer = await this.ask(async (signal) => {
      if (source?.find === undefined) throw new Error('this source finds no bundle by name');
      return source.find(wanted, signal);
    }, elsewhere);
    const { refused } = this.driver.state;
    const before = refused.find((r) => r.sha256 === wanted.sha256)?.reason;
    // Who stopped it before may begin again; what failed here on its own stays refused.
    return this.consider(offer, { explicit: false, retry: before === 'requested' });
  }

  /** Asks the repository and takes what it offers if this device may. */
  private async check(asked: Asked): Promise<Decision> {
    const offer = await this.ask((signal) => this.askOnce(signal));
    await this.heed(offer);
    return this.consider(offer, asked);
  }

  private async consider(offer: Offer | null, asked: Asked): Promise<Decision> {
    const { state, hears } = this.driver;
    const decision = decide(state, offer, {
      device: this.options.device,
      installed: {
        name: hears?.name ?? '',
        version: hears?.version ?? '',
        sha256: state.installed?.bundle.sha256 ?? null,
      },
      agentVersion,
      pin: this.options.pin,
      beside: this.options.beside?.()?.what ?? null,
      lacks: (wanted) => this.options.lacks?.(wanted) ?? null,
      ...asked,
    });
    // What only a person can mend is shown; the rest is as it should be.
    const stuck = !decision.go && stuckFor.has(decision.reason);
    this.checkError = stuck ? decision.detail : '';
    this.checkReason = stuck ? decision.reason : '';
    this.options.log.debug(
      { event: 'update.checked', go: decision.go, why: decision.go ? undefined : decision.reason },
      'asked the repository',
    );
    if (decision.go && offer !== null)
      await this.driver.dispatch({ type: 'offered', offer, explicit: asked.explicit });
    this.publish();
    return decision;
  }

  /** One question to the channel at a time; who asks meanwhile gets the same answer. */
  private async askOnce(signal: AbortSignal): Promise<Offer | null> {
    this.asking ??= this.options.source?.check(signal) ?? Promise.resolve(null);
    try {
      return await this.asking;
    } finally {
      this.asking = null;
    }
  }

  /** Within its time; a failure is shown, the state stays. */
  private async ask(
    question: (signal: AbortSignal) => Promise<Offer | null>,
    elsewhere = false,
  ): Promise<Offer | null> {
    const { source, clock, log } = this.options;
    if (source === null) {
      throw new KikitoriError('updates are off', {
        kind: 'config',
        hint: 'set update.url and update.enabled',
      });
    }
    const limit = new AbortController();
    const cancel = clock.after(checkMsMax, () => limit.abort());
    try {
      this.latest = await question(limit.signal);
      this.answered();
      return this.latest;
    } catch (error) {
      // While a download goes on the repository is asked nothing else: no fault, the next check will do.
      if (codeOf(error) === 'busy' && isBusy(this.driver.state.phase)) throw error;
      if (elsewhere && isElsewhere(error)) throw error;
      this.checkError = messageOf(error);
      this.checkReason = codeOf(error) ?? '';
      log.warn(
        { event: 'update.check-failed', why: this.checkError },
        'the repository could not be asked',
      );
      this.publish();
      throw error;
    } finally {
      cancel();
    }
  }

  /** What the publisher took back is given up; what waits for its window gives way to something newer. */
  private async heed(offer: Offer | null): Promise<void> {
    if (offer === null) return;
    const { phase, explicit, offer: mine } = this.driver.state;
    const withdrawn = offer.deployment === mine?.deployment && offer.rollout.state === 'aborted';
    const replaced = offer.deployment !== mine?.deployment;
    const waiting = phase === 'downloading' || (phase === 'verified' && !this.driver.opening);
    if (phase === 'trial' && withdrawn)
      await this.driver.dispatch({ type: 'roll-back', reason: 'withdrawn' });
    else if (waiting && !explicit && (withdrawn || replaced))
      await this.driver.dispatch({ type: 'abort' });
  }

  private answered(): void {
    this.answeredMs = this.options.clock.now();
  }

  private openWindow(): void {
    if (this.driver.waits && this.driver.mayChange)
      void this.driver.dispatch({ type: 'window-open' });
  }

  private tick(): void {
    const { driver } = this;
    if (driver.unsaved) void driver.saveAgain(this.options.bootId);
    void driver.flush();
    this.openWindow();
    const now = this.options.clock.monotonic();
    if (now - this.statisticsSavedMs < saveStatisticsEveryMs) return;
    this.statisticsSavedMs = now;
    void driver.saveStatistics();
  }

  private publish(): void {
    if (!this.begun || this.driver.changingOver) return;
    const { status } = this;
    this.options.onStatus(status);
    this.trigger?.heard(status);
  }
}
