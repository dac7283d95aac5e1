/** The composition root of the daemon: builds the stages, joins them, stops them in reverse. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { chunkMs } from '../audio/index.js';
import { Capture } from '../capture/index.js';
import {
  Answers,
  clockSynced,
  infoOf,
  letterHealth,
  linkOptions,
  recognizerOptions,
} from './board.js';
import { requestHandlers, thresholdsOf } from './requests.js';
import { Updates } from './updates.js';
import type { AgentOptions } from './options.js';
import type { Config } from '../config/index.js';
import { Ear, type Ready } from './ear.js';
import { hearOwnClip } from '../engine/engine.js';
import { Publisher } from '../publish/index.js';
import type { Chunk, Heard, MicState } from '../records.js';
import type { RecognizerEvent } from '../recognizer/index.js';
import { KikitoriError } from '../runtime/errors.js';
import { processorMs } from '../runtime/processor-time.js';
import { StopRequested } from '../runtime/signals.js';
import { Timers } from '../runtime/timers.js';
import { agentVersion } from '../runtime/version.js';

/** Audio waiting for the network, 20 s; more is dropped, oldest first, and said, again after 10 s more of it. */
const queuedChunksMax = Math.round(20_000 / chunkMs);
const droppedAgainChunks = Math.round(10_000 / chunkMs);
/** The watchdog wants audio through the network within this, unless the microphone is known to be lost. */
const progressMs = 10_000;
/** Time for the answer to a restart request to leave. */
const restartDelayMs = 500;
/** The real-time factor follows the last second of audio. */
const healthSmoothing = chunkMs / 1000;

export class Agent {
  private config: Config;
  private queue: Chunk[] = [];
  private working: Promise<void> = Promise.resolve();
  private busy = false;
  private mic: MicState = 'lost';
  private muted = false;
  /** Whether it was reported: at the start it is not up yet, and that is no news. */
  private wasLost = false;
  private lastProgressMs: number;
  private lastChunk: Chunk | null = null;
  private droppedChunks = 0;
  private realTimeFactor = 0;
  private latencyMs = 0;
  private readonly answers = new Answers();
  private readonly startedMs: number;
  private readonly timers: Timers;
  private stopped = false;

  private constructor(
    private readonly options: AgentOptions,
    private readonly ear: Ear,
    readonly updates: Updates,
    private readonly capture: Capture,
    private readonly publisher: Publisher,
  ) {
    this.config = options.config;
    this.timers = new Timers(options.clock);
    this.startedMs = options.clock.monotonic();
    this.lastProgressMs = this.startedMs;
  }

  /**
   * Everything that can be wrong with model, grammar or configuration is thrown here, before READY; StopRequested
   * when the end was wanted before.
   */
  static async start(options: AgentOptions): Promise<Agent> {
    const { config, log, stop } = options;
    const ending = () => stop?.aborted === true;
    const ref: { agent?: Agent } = {};
    const agentOf = () => built(ref.agent);
    const updates = await Updates.open({
      config: () => ref.agent?.config ?? config,
      source: options.source ?? null,
      clock: options.clock,
      random: options.random,
      log: log.child({ stage: 'update' }),
      onStatus: (status) => agentOf().publisher.retain('update', { ...status }),
      onEvent: (name, data) => void agentOf().publisher.event(name, data),
      replace: (next) => agentOf().replaceEngine(next),
      ...(options.probeCommand === undefined ? {} : { probeCommand: options.probeCommand }),
    });
    const leave = () => void updates.leave();
    stop?.addEventListener('abort', leave);
    try {
      if (ending()) throw new StopRequested();
      ref.agent = await Agent.build(options, updates, ref);
    } catch (error) {
      // A start that fails for a reason of its own, or is given up, is no crash of the bundle on trial.
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
    ref: { readonly agent?: Agent },
  ): Promise<Agent> {
    const agentOf = () => built(ref.agent);
    const { config, clock, random, log } = options;
    const ready = await updates.openCurrent();
    if (options.stop?.aborted === true) {
      await ready.engine.close();
      throw new StopRequested();
    }
    for (const w of ready.grammar.warnings)
      log.warn({ event: 'grammar.warning', line: w.line, column: w.column }, w.message);
    const capture = new Capture(
      config.capture,
      ready.engine.bundle.manifest.features.sampleRateHz,
      {
        onChunk: (chunk) => agentOf().take(chunk),
        onState: (state, why) => agentOf().micChanged(state, why),
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
    return new Agent(options, ear, updates, capture, publisher);
  }

  private async begin(): Promise<void> {
    const { config, log, notifier } = this.options;
    this.publishInfo();
    this.capture.start();
    this.timers.every(config.publish.healthMs, () => this.publishHealth());
    const { watchdogMs } = notifier;
    if (watchdogMs !== undefined) this.timers.every(watchdogMs / 3, () => this.feedWatchdog());
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

  /** Stops hearing, says what was being said, keeps it safe, and leaves. */
  async stop(): Promise<void> {
    if (this.stopped) return;
    this.stopped = true;
    this.options.notifier.stopping();
    await this.updates.leave();
    this.timers.cancel();
    await this.capture.stop();
    await this.working;
    for (const event of await this.ear.stop()) await this.handle(event);
    await this.updates.stop();
    await this.publisher.close();
    this.options.log.info({ event: 'agent.stopped' }, 'stopped');
  }

  /** New sentences from the file; the old ones stay when it is wrong. */
  async reloadGrammar(path?: string): Promise<{ sentences: number; sha256: string }> {
    const grammar = await this.ear.compile(
      path ?? this.config.grammar.path,
      this.config.grammar.phonesMax,
    );
    this.ear.refresh();
    this.publishInfo();
    this.options.log.info(
      { event: 'grammar.loaded', sentences: grammar.sentences, sha256: grammar.sha256 },
      'new sentences',
    );
    return { sentences: grammar.sentences, sha256: grammar.sha256 };
  }

  /** Takes over what can change while running; says what needs a restart. */
  async reconfigure(config: Config): Promise<string[]> {
    const old = this.config;
    this.config = { ...old, recognizer: config.recognizer, grammar: config.grammar };
    try {
      await this.reloadGrammar();
    } catch (error) {
      this.config = old;
      throw error;
    }
    const sections = ['device', 'model', 'capture', 'publish', 'update', 'state', 'log'] as const;
    return sections.filter((name) => JSON.stringify(old[name]) !== JSON.stringify(config[name]));
  }

  async setOptions(
    given: Readonly<Record<string, unknown>>,
  ): Promise<Readonly<Record<string, unknown>>> {
    const recognizer = { ...this.config.recognizer, ...thresholdsOf(given) };
    this.config = { ...this.config, recognizer };
    this.ear.refresh();
    return { minConfidence: recognizer.minConfidence, minCertainty: recognizer.minCertainty };
  }

  async listen(): Promise<void> {
    await this.serially(() => this.ear.listen());
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

  /** Resolves when the chunk went through; a microphone does not wait for it. */
  private take(chunk: Chunk): Promise<void> {
    this.queue.push(chunk);
    if (this.queue.length > queuedChunksMax) {
      this.queue.shift();
      if (this.droppedChunks++ % droppedAgainChunks === 0) {
        this.options.log.error(
          { event: 'audio.dropped', chunks: this.droppedChunks },
          'the processor is too slow for this model: audio was dropped',
        );
      }
    }
    if (!this.busy) void this.serially(async () => []);
    return this.working;
  }

  /** Audio and requests go through the listener one after the other. */
  private serially(action: () => Promise<RecognizerEvent[]>): Promise<void> {
    const next = this.working.then(async () => {
      this.busy = true;
      try {
        await this.drain();
        for (const event of await action()) await this.handle(event);
      } finally {
        this.busy = false;
      }
    });
    this.working = next.catch((error: unknown) => {
      // A contradiction inside the recogniser: crash loudly, the service is restarted.
      queueMicrotask(() => {
        throw error;
      });
    });
    return next;
  }

  private async drain(): Promise<void> {
    for (let chunk = this.queue.shift(); chunk !== undefined; chunk = this.queue.shift()) {
      const begin = this.options.clock.monotonic();
      const beginProcessorMs = processorMs();
      this.lastChunk = chunk;
      for (const event of await this.ear.feed(chunk)) await this.handle(event);
      const now = this.options.clock.monotonic();
      const { sampleRateHz } = this.ear.engine.bundle.manifest.features;
      const audioMs = (1000 * chunk.samples.length) / sampleRateHz;
      this.updates.audio(chunk.samples, sampleRateHz, processorMs() - beginProcessorMs);
      this.realTimeFactor +=
        healthSmoothing * ((now - begin) / Math.max(audioMs, 1) - this.realTimeFactor);
      this.lastProgressMs = now;
    }
  }

  private async handle(event: RecognizerEvent): Promise<void> {
    if (event.type === 'partial' && this.config.publish.partials)
      this.publisher.partial(event.partial);
    if (event.type === 'wake') {
      this.options.log.info(
        { event: 'heard.wake', score: Number(event.score.toFixed(2)) },
        'the wake phrase',
      );
      await this.publisher.event('wake', { score: Number(event.score.toFixed(2)) });
    }
    if (event.type !== 'heard') return;
    const { heard } = event;
    const endedAtMs = this.wallOf(heard.endSample);
    const latencyMs = Math.max(0, this.options.clock.now() - endedAtMs);
    this.latencyMs = latencyMs;
    await this.publisher.heard(heard, {
      startedAtMs: this.wallOf(heard.startSample) + heard.startMs,
      endedAtMs,
      latencyMs,
      model: this.modelName,
      grammar: this.ear.grammar.sha256.slice(0, 12),
    });
    this.updates.heard(heard.accepted, heard.confidence);
    this.answers.add(heard.accepted, heard.confidence);
    this.logHeard(heard, latencyMs);
  }

  private logHeard(heard: Heard, latencyMs: number): void {
    const words = this.config.log.transcripts ? { text: heard.text, slots: heard.slots } : {};
    this.options.log.info(
      {
        event: heard.accepted ? 'heard.accepted' : 'heard.rejected',
        intent: heard.accepted ? heard.intent : undefined,
        reason: heard.reason,
        confidence: Number(heard.confidence.toFixed(3)),
        latencyMs: Math.round(latencyMs),
        ...words,
      },
      heard.accepted ? 'a command' : 'no command',
    );
  }

  /** Wall clock of a sample, from the newest chunk. */
  private wallOf(sample: number): number {
    const chunk = this.lastChunk;
    if (chunk === null) return this.options.clock.now();
    const samplesAgo = chunk.firstSample + chunk.samples.length - sample;
    return (
      chunk.receivedAtMs -
      (1000 * samplesAgo) / this.ear.engine.bundle.manifest.features.sampleRateHz
    );
  }

  private micChanged(state: MicState, why: string): void {
    const before = this.mic;
    this.mic = state;
    const log = state === 'up' ? 'info' : 'warn';
    this.options.log[log](
      { event: `mic.${state}`, why: why === '' ? undefined : why },
      `the microphone is ${state}`,
    );
    this.options.notifier.status(`microphone ${state}`);
    this.publishHealth();
    if (state === 'lost') void this.publisher.event('mic-lost', { why });
    else if (before === 'lost' && this.wasLost) void this.publisher.event('mic-restored');
    this.wasLost ||= state === 'lost';
  }

  private async audioEnded(error?: unknown): Promise<void> {
    await this.serially(() => this.ear.stop());
    this.options.onEnd(error);
  }

  /** Another bundle hears from the next utterance on. */
  private replaceEngine(next: Ready): void {
    this.ear.replace(next);
    // Also while no audio comes: the microphone may be lost.
    void this.serially(() => this.ear.settle());
  }

  private engineReplaced(old: Ready): void {
    this.options.log.info({ event: 'model.changed', model: this.modelName }, 'another model hears');
    this.publishInfo();
    this.updates.retire(old);
  }

  private get modelName(): string {
    const { name, version } = this.ear.engine.bundle.manifest;
    return `${name}@${version}`;
  }

  private publishInfo(): void {
    const { whole, shorter } = infoOf(this.ear.engine, this.ear.grammar, this.config);
    this.publisher.retain('info', whole, shorter);
  }

  private publishHealth(): void {
    this.publisher.retain('health', {
      mic: this.mic,
      muted: this.muted,
      rtf: Number(this.realTimeFactor.toFixed(4)),
      rssMb: Math.round(process.memoryUsage.rss() / 1e6),
      ...letterHealth(this.publisher.stats()),
      latencyMs: Math.round(this.latencyMs),
      uptimeS: Math.round((this.options.clock.monotonic() - this.startedMs) / 1000),
      clockSynced: clockSynced(),
      logDropped: this.options.logDropped?.() ?? 0,
      ...this.answers.health(),
    });
  }

  /** Alive means: audio went through the network lately, or the microphone is known to be lost and is being opened. */
  private feedWatchdog(): void {
    const now = this.options.clock.monotonic();
    if (now - this.lastProgressMs < progressMs || this.mic === 'lost')
      this.options.notifier.watchdog();
    else
      this.options.log.error(
        { event: 'watchdog.withheld', sinceMs: Math.round(now - this.lastProgressMs) },
        'no audio went through the network',
      );
  }
}

function built(agent: Agent | undefined): Agent {
  if (agent === undefined) throw new Error('the agent is not built yet');
  return agent;
}
