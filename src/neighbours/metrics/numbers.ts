/** What Prometheus is told, by the rules of its names: base units, `_total`, no label without a bound. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Heard } from '../../records.js';
import { agentVersion } from '../../runtime/version.js';
import type { Context, House, Neighbour } from '../neighbour.js';

/** Answers are wanted within half a second. */
const latencyBuckets = [0.1, 0.2, 0.35, 0.5, 1, 2];

/** prom-client's own that break the rules: no counters, yet `_total`. Each has a sibling with a label. */
const misnamed = ['handles', 'requests', 'resources'].map((what) => `nodejs_active_${what}_total`);

type Told = Pick<Neighbour, 'audio' | 'computed' | 'heard' | 'event'>;

export class Numbers implements Told {
  private readonly registry = new Registry();
  private readonly utterances: Counter<'result'>;
  private readonly intents: Counter<'intent'>;
  private readonly latency: Histogram;
  private readonly audioSeconds: Counter;
  private readonly inferenceSeconds: Counter;
  private readonly restarts: Counter;

  constructor(private readonly house: House) {
    const registers = [this.registry];
    const counter = <L extends string>(name: string, help: string, labelNames: L[] = []) =>
      new Counter({ name: `kikitori_${name}`, help, labelNames, registers });
    this.utterances = counter('utterances_total', 'Utterances, accepted or why not.', ['result']);
    this.intents = counter('intents_total', 'Accepted commands by intent.', ['intent']);
    this.latency = new Histogram({
      name: 'kikitori_latency_seconds',
      help: 'From the last sound of an accepted command to its publication.',
      buckets: latencyBuckets,
      registers,
    });
    this.audioSeconds = counter('audio_seconds_total', 'Audio that was heard.');
    this.inferenceSeconds = counter('inference_seconds_total', 'Processor time that hearing took.');
    this.restarts = counter('microphone_restarts_total', 'Times that the microphone was lost.');
    this.gauges();
    collectDefaultMetrics({ register: this.registry });
    for (const name of misnamed) this.registry.removeSingleMetric(name);
  }

  /** The text format, with a newline at its end. */
  async text(): Promise<string> {
    return this.registry.metrics();
  }

  get contentType(): string {
    return this.registry.contentType;
  }

  audio(...[{ samples }]: Parameters<NonNullable<Told['audio']>>): void {
    this.audioSeconds.inc(
      samples.length / this.house.engine().bundle.manifest.features.sampleRateHz,
    );
  }

  computed(processorMs: number): void {
    this.inferenceSeconds.inc(processorMs / 1000);
  }

  heard(heard: Heard, { latencyMs }: Context): void {
    this.utterances.inc({ result: heard.accepted ? 'accepted' : (heard.reason ?? 'refused') });
    if (!heard.accepted) return;
    if (heard.intent !== null) this.intents.inc({ intent: heard.intent });
    this.latency.observe(latencyMs / 1000);
  }

  event(name: string): void {
    if (name === 'mic-lost') this.restarts.inc();
  }

  /** Read when they are asked for. */
  private gauges(): void {
    const { house, registry } = this;
    const gauge = (name: string, help: string, read: () => number | null) =>
      new Gauge({
        name: `kikitori_${name}`,
        help,
        registers: [registry],
        collect() {
          const value = read();
          // What is not known is no 0.
          if (value === null) this.remove();
          else this.set(value);
        },
      });
    const labelled = (
      name: string,
      help: string,
      labelNames: string[],
      read: () => readonly (readonly [Readonly<Record<string, string>>, number])[],
    ) =>
      new Gauge({
        name: `kikitori_${name}`,
        help,
        labelNames,
        registers: [registry],
        collect() {
          // Only what is true now: the series of an older model ends.
          this.reset();
          for (const [labels, value] of read()) this.set(labels, value);
        },
      });
    const health = (name: string) => house.health()[name];
    labelled('build_info', 'The program.', ['version'], () => [[{ version: agentVersion }, 1]]);
    labelled('model_info', 'The bundle that hears.', ['name', 'version'], () => {
      const { name, version } = house.engine().bundle.manifest;
      return [[{ name, version }, 1]];
    });
    labelled(
      'language_model_info',
      'The language model that hears free words; no name: a file alone.',
      ['name', 'version'],
      () => {
        const { languageModel } = house.info() as {
          languageModel?: Readonly<Record<string, string>>;
        };
        if (languageModel === undefined) return [];
        const { name = '', version = '' } = languageModel;
        return [[{ name, version }, 1]];
      },
    );
    gauge('sentences', 'Sentences of the grammar.', () => house.grammar().sentences);
    gauge('microphone_up', '1: audio comes.', () => Number(health('mic') === 'up'));
    gauge('muted', '1: it does not listen.', () => Number(health('muted') === true));
    gauge('clock_synced', '1: the clock is disciplined.', () => Number(health('clockSynced')));
    gauge('mqtt_connected', '1: there is a broker.', () => Number(house.mqtt.connected));
    gauge('outbox_messages', 'Messages that wait.', () => house.letters().queued);
    gauge('outbox_bytes', 'What they take on the disk.', () => house.letters().queuedBytes);
    new Counter({
      name: 'kikitori_outbox_dropped_total',
      help: 'Messages that were dropped, by the limit that was met.',
      labelNames: ['why'],
      registers: [registry],
      collect() {
        this.reset();
        for (const [why, count] of Object.entries(house.letters().droppedBy))
          this.inc({ why }, count);
      },
    });
    new Counter({
      name: 'kikitori_audio_lost_seconds_total',
      help: 'Audio that was not heard: the processor was too slow, or others had it.',
      registers: [registry],
      collect() {
        this.reset();
        this.inc(Number(health('audioLostMs') ?? 0) / 1000);
      },
    });
    labelled('update_state', '1: the state of the update.', ['state'], () => [
      [{ state: house.update().state }, 1],
    ]);
    labelled('language_update_state', '1: the state of updates of it.', ['state'], () => {
      const status = house.languageUpdate();
      return status === null ? [] : [[{ state: status.state }, 1]];
    });
    gauge(
      'update_last_check_timestamp_seconds',
      'When the repository or hawkBit last answered.',
      () => {
        const atMs = house.lastUpdateCheckMs();
        return atMs === null ? null : atMs / 1000;
      },
    );
  }
}
