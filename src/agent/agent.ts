/** The composition root of the daemon: builds the stages, joins them, stops them in reverse. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Capture } from '../capture/index.js';
import { requestsOff, type Config } from '../config/index.js';
import { hearOwnClip } from '../engine/engine.js';
import { kinds, Neighbours, type House } from '../neighbours/index.js';
import { Publisher, type PublishedEvent } from '../publish/index.js';
import type { Chunk } from '../records.js';
import type { RecognizerEvent } from '../recognizer/index.js';
import { KikitoriError } from '../runtime/errors.js';
import { processorMs } from '../runtime/processor-time.js';
import { StopRequested } from '../runtime/signals.js';
import { Timers } from '../runtime/timers.js';
import { agentVersion } from '../runtime/version.js';
import { clockSynced, infoOf, linkOptions, recognizerOptions } from './board.js';
import { Cover } from './cover.js';
import { Ear, type Ready } from './ear.js';
import { Answers, healthOf, Pace } from './health.js';
import { Intake } from './intake.js';
import { Microphone } from './microphone.js';
import type { AgentOptions } from './options.js';
import { Reload, tellFreeWords, tellWarnings, type Loaded } from './reload.js';
import { requestHandlers } from './requests.js';
import { StreamClock } from './stream-clock.js';
import { Telling } from './telling.js';
import { tellUnasked } from './unasked.js';
import { Updates } from './updates.js';
import { Watchdog } from './watchdog.js';

/** Time for the answer to a restart request to leave. */
const restartDelayMs = 500;

export class Agent {
  private config: Config;
  private muted = false;
  private stopped = false;
  private readonly answers = new Answers();
  private readonly pace = new Pace();
  private readonly reload: Reload;
  /** There since somebody wants to sound: otherwise audio passes as it is. */
  private cover: Cover | null = null;
  private readonly intake: Intake;
  private readonly microphone: Microphone;
  private readonly streamClock: StreamClock;
  private readonly telling: Telling;
  private readonly timers: Timers;
  private readonly watchdog: Watchdog;
  private readonly startedMs: number;

  private constructor(
    private readonly options: AgentOptions,
    private readonly ear: Ear,
    readonly updates: Updates,
    private readonly capture: Capture,
    private readonly publisher: Publisher,
    private readonly neighbours: Neighbours,
  ) {
    const { clock, notifier, log } = options;
    this.config = options.config;
    this.startedMs = clock.monotonic();
    this.timers = new Timers(clock);
    this.watchdog = new Watchdog(clock, notifier, log);
    this.streamClock = new StreamClock(
      () => this.rateHz,
      () => clock.now(),
    );
    this.intake = new Intake((chunk) => this.hear(chunk), log);
    this.microphone = new Microphone({
      ...{ log, clock },
      notifier,
      onChange: () => this.publishHealth(),
      onEvent: (name, data) => void this.event(name, data),
    });
    this.reload = new Reload({
      ...{ ear, log },
      site: (wanted, mode) => updates.siteOf(wanted, mode),
      alone: (action) => updates.alone(action),
      config: () => this.config,
      use: (changed) => {
        this.config = changed;
      },
      onChange: () => this.publishInfo(),
    });
    this.telling = new Telling({
      config: () => this.config,
      clock,
      log,
      streamClock: this.streamClock,
      publisher,
      neighbours,
      hears: () => ({
        model: this.modelName,
        grammar: ear.heardBy.sha256.slice(0, 12),
      }),
      onHeard: ({ accepted, confidence }, latencyMs) => {
        this.pace.answered(latencyMs);
        this.answers.add(accepted, confidence);
        updates.heard(accepted, confidence);
      },
    });
  }

  // Start

  /**
   * Everything that can be wrong with model, grammar or configuration is thrown here, before READY; StopRequested
   * when the end was wanted before.
   */
  static async start(options: AgentOptions): Promise<Agent> {
    const { config, log, stop } = options;
    const ending = () => stop?.aborted === true;
    const ref: { agent?: Agent } = {};
    const agentOf = () => built(ref.agent);
    const configNow = () => ref.agent?.config ?? config;
    const { clock, random } = options;
    const updates = await Updates.open({
      config: configNow,
      source: options.source ?? null,
      clock,
      random,
      log: log.child({ stage: 'update' }),
      onStatus: (topic, status) => {
        agentOf().publisher.retain(topic, { ...status });
        agentOf().neighbours.changed('update');
      },
      onEvent: (name, data) => void agentOf().event(name, data),
      replace: (next) => agentOf().replaceEngine(next),
      ...(options.probeCommand === undefined ? {} : { probeCommand: options.probeCommand }),
    });
    const leave = () => void updates.leave();
    stop?.addEventListener('abort', leave);
    let neighbours: Neighbours | undefined;
    try {
      if (ending()) throw new StopRequested();
      const ground = { config: configNow, clock, random, log };
      neighbours = await Neighbours.begin(ground, options.neighbours ?? kinds);
      ref.agent = await Agent.build(options, updates, neighbours, ref);
      await neighbours.enter(ref.agent.house);
    } catch (error) {
      // A start that fails for a reason of its own, or is given up, is no crash of the bundle on trial.
      await neighbours?.close();
      await ref.agent?.publisher.close();
      await updates.stop();
      if (error instanceof StopRequested)
        log.info({ event: 'agent.stopped' }, 'stopped before it heard');
      throw error;
    }
    if (!ending()) await ref.agent.begin();
    if (!ending()) return ref.agent;
    await ref.agent.stop();
    throw new StopRequested();
  }

  private static async build(
    options: AgentOptions,
    updates: Updates,
    neighbours: Neighbours,
    ref: { readonly agent?: Agent },
  ): Promise<Agent> {
    const agentOf = () => built(ref.agent);
    const { config, clock, random, log } = options;
    const ready = await updates.openCurrent();
    if (options.stop?.aborted === true) {
      await ready.engine.close();
      throw new StopRequested();
    }
    tellWarnings(ready.grammar.warnings, log);
    tellFreeWords(ready.grammar.freeWords, log);
    const capture = new Capture(
      config.capture,
      ready.engine.bundle.manifest.features.sampleRateHz,
      {
        onChunk: (chunk) => agentOf().intake.take(chunk),
        onState: (state, why) => agentOf().microphone.changed(state, why),
        onOverrun: (lostMs) => agentOf().microphone.overrun(lostMs),
        onEnd: (error) => void agentOf().audioEnded(error),
      },
      clock,
      random,
    );
    const publisher = await Publisher.open({
      base: config.publish.base,
      device: config.device.id,
      boot: randomBytes(6).toString('hex'),
      link: linkOptions(config),
      outbox: { dir: join(config.state.dir, 'outbox'), ...config.publish.outbox },
      handlers: requestHandlers(agentOf),
      requestsOff: requestsOff(config.publish.requests),
      clock,
      random,
      log: log.child({ stage: 'publish' }),
      onConnected: () => ref.agent?.publishHealth(),
    });
    const ear = new Ear(
      ready,
      (engine) => recognizerOptions(ref.agent?.config ?? config, engine),
      config.recognizer.mode,
      (old) => agentOf().engineReplaced(old),
    );
    return new Agent(options, ear, updates, capture, publisher, neighbours);
  }

  /** What the neighbours see of it. */
  private get house(): House {
    const { publisher, ear, updates } = this;
    const { clock, random, log } = this.options;
    return {
      config: () => this.config,
      engine: () => ear.engine,
      grammar: () => ear.grammar,
      hasFreeWords: () => updates.hasFreeWords,
      recognizer: (acoustic, more) => {
        const options = { ...recognizerOptions(this.config, ear.engine), ...more };
        return ear.engine.recognizer(ear.grammar, options, acoustic);
      },
      spare: () => this.intake.idle(),
      coverMicrophone: () => {
        const cover = (this.cover ??= new Cover(
          () => this.rateHz,
          () => clock.now(),
        ));
        return () => cover.begin();
      },
      health: () => this.health(),
      letters: () => publisher.stats(),
      info: () => infoOf(ear.engine, ear.grammar, this.config).whole,
      update: () => updates.status,
      languageUpdate: () => updates.languageStatus,
      lastUpdateCheckMs: () => updates.lastCheckMs,
      ask: publisher.port.ask,
      broker: () => linkOptions(this.config),
      mqtt: {
        ...publisher.port,
        topics: publisher.topics,
        get connected() {
          return publisher.stats().connected;
        },
      },
      clock,
      random,
      log,
    };
  }

  private async begin(): Promise<void> {
    const { config, log, notifier } = this.options;
    this.publishInfo();
    tellUnasked(this.options, (data) => void this.event('restarted', data));
    this.capture.start();
    this.timers.every(config.publish.healthMs, () => this.publishHealth());
    const { watchdogMs } = notifier;
    if (watchdogMs !== undefined)
      this.timers.every(watchdogMs / 3, () =>
        this.watchdog.feed(['lost', 'none'].includes(this.microphone.state)),
      );
    await this.updates.begin(this.ear);
    if (this.options.stop?.aborted === true) return;
    const { sentences } = this.ear.grammar;
    log.info(
      {
        event: 'agent.ready',
        version: agentVersion,
        device: config.device.id,
        model: this.modelName,
        sentences,
      },
      'listening',
    );
    notifier.ready(`listening, ${sentences} sentences`);
  }

  // Hear

  private async hear(captured: Chunk): Promise<void> {
    const { clock } = this.options;
    const chunk = this.cover?.take(captured) ?? captured;
    const begin = clock.monotonic();
    const beginProcessorMs = processorMs();
    this.streamClock.received(chunk);
    this.neighbours.audio(chunk);
    await this.tell(await this.ear.feed(chunk));
    const tookMs = processorMs() - beginProcessorMs;
    this.updates.audio(chunk.samples, this.rateHz, tookMs);
    this.neighbours.computed(tookMs);
    this.pace.heard((1000 * chunk.samples.length) / this.rateHz, clock.monotonic() - begin);
    this.watchdog.progress();
  }

  private async tell(events: readonly RecognizerEvent[]): Promise<void> {
    for (const event of events) await this.telling.tell(event);
  }

  /** Audio and requests go through the listener one after the other. */
  private async serially(action: () => Promise<RecognizerEvent[]>): Promise<void> {
    await this.intake.serially(async () => this.tell(await action()));
  }

  private async audioEnded(error?: unknown): Promise<void> {
    await this.serially(() => this.ear.stop());
    this.options.onEnd(error);
  }

  // Answer

  async listen(): Promise<void> {
    await this.serially(async () => {
      const events = await this.ear.listen();
      if (events.length > 0) this.neighbours.pushToTalk();
      return events;
    });
  }

  async stopListening(): Promise<void> {
    await this.serially(() => this.ear.stop());
  }

  async mute(on: boolean): Promise<void> {
    await this.serially(async () => {
      this.ear.mute(on);
      return [];
    });
    this.muted = on;
    this.publishHealth();
    this.options.log.info({ event: on ? 'mic.muted' : 'mic.unmuted' }, on ? 'muted' : 'unmuted');
  }

  async setOptions(given: Readonly<Record<string, unknown>>) {
    return this.reload.setOptions(given);
  }

  /** What the bundle's own clip sounds like to the network that hears now; the microphone goes on meanwhile. */
  async selftest() {
    return hearOwnClip(this.ear.engine, () => this.options.clock.monotonic());
  }

  /** The answer is sent first. */
  restart(): void {
    const { onRestart, clock, log } = this.options;
    if (onRestart === undefined)
      throw new KikitoriError('no service manager would start it again', { kind: 'input' });
    log.warn({ event: 'agent.restarting' }, 'restarting, as requested');
    clock.after(restartDelayMs, onRestart);
  }

  // Reload

  /** New sentences and words from the files; the old ones stay when any is wrong. */
  async reloadGrammar(): Promise<Loaded> {
    return this.reload.sentences();
  }

  /** Takes over what can change while running; says which sections need a restart. */
  async reconfigure(config: Config): Promise<string[]> {
    return this.reload.configuration(config);
  }

  /** Another bundle hears from the next utterance on. */
  private replaceEngine(next: Ready): void {
    this.ear.replace(next);
    // Also while no audio comes: the microphone may be lost.
    void this.serially(() => this.ear.settle());
  }

  private engineReplaced(old: Ready): void {
    const { log } = this.options;
    if (old.engine === this.ear.engine) tellFreeWords(this.ear.grammar.freeWords, log);
    else log.info({ event: 'model.changed', model: this.modelName }, 'another model hears');
    this.publishInfo();
    this.updates.retire(old);
  }

  // Stop

  /** Stops hearing, says what was being said, keeps it safe, and leaves. */
  async stop(): Promise<void> {
    if (this.stopped) return;
    this.stopped = true;
    this.options.notifier.stopping();
    await this.updates.leave();
    this.timers.cancel();
    await this.capture.stop();
    await this.intake.idle();
    await this.tell(await this.ear.stop());
    await this.updates.stop();
    await this.neighbours.close();
    await this.publisher.close();
    this.options.log.info({ event: 'agent.stopped' }, 'stopped');
  }

  // What it says of itself

  private get modelName(): string {
    const { name, version } = this.ear.engine.bundle.manifest;
    return `${name}@${version}`;
  }

  private get rateHz(): number {
    return this.ear.engine.bundle.manifest.features.sampleRateHz;
  }

  private async event(
    name: PublishedEvent,
    data?: Readonly<Record<string, unknown>>,
  ): Promise<void> {
    this.neighbours.event(name, data ?? {});
    await this.publisher.event(name, data);
  }

  private publishInfo(): void {
    const { whole, shorter } = infoOf(this.ear.engine, this.ear.grammar, this.config);
    this.publisher.retain('info', whole, shorter);
    this.neighbours.changed('info');
  }

  private health() {
    return healthOf({
      mic: this.microphone.state,
      muted: this.muted,
      audioLostMs: (1000 * this.intake.droppedSamples) / this.rateHz + this.microphone.overrunMs,
      pace: this.pace,
      letters: this.publisher.stats(),
      answers: this.answers,
      uptimeMs: this.options.clock.monotonic() - this.startedMs,
      clockSynced: clockSynced(),
      logDropped: this.options.logDropped?.() ?? 0,
      rssBytes: process.memoryUsage.rss(),
    });
  }

  private publishHealth(): void {
    this.publisher.retain('health', this.health());
    this.neighbours.changed('health');
  }
}

function built(agent: Agent | undefined): Agent {
  if (agent === undefined) throw new Error('the agent is not built yet');
  return agent;
}
