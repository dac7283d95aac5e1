/**
 * A host application of Sparkplug B that reads payloads with its own eyes and holds every message of an edge node to
 * the rules, each by a name. What breaks one is in `faults`.
 */
import mqtt, { type MqttClient } from 'mqtt';

export interface SeenMetric {
  readonly name: string;
  readonly datatype: number;
  readonly timestamp: number;
  readonly value: string | number | boolean | null;
}

export interface Seen {
  readonly type: string;
  readonly qos: number;
  readonly retained: boolean;
  readonly timestamp: number | undefined;
  readonly seq: number | undefined;
  readonly bdSeq: number | undefined;
  readonly metrics: readonly SeenMetric[];
}

const valueFieldOf: Readonly<Record<number, number>> = { 4: 11, 13: 11, 10: 13, 11: 14, 12: 15 };

type Field = readonly [id: number, value: number | Buffer];

/** The wire format, field by field. */
function fieldsOf(bytes: Buffer): Field[] {
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes.readUInt8(at++);
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return Number(value);
    }
  };
  const fields: Field[] = [];
  while (at < bytes.length) {
    const tag = varint();
    const [id, wire] = [tag >> 3, tag & 7];
    if (wire === 0) fields.push([id, varint()]);
    else if (wire === 1) fields.push([id, bytes.subarray(at, (at += 8))]);
    else if (wire === 2) {
      const length = varint();
      fields.push([id, bytes.subarray(at, (at += length))]);
    } else if (wire === 5) fields.push([id, bytes.subarray(at, (at += 4))]);
    else throw new Error(`wire type ${wire}`);
  }
  return fields;
}

const numberOf = (fields: readonly Field[], id: number) => {
  const found = fields.find(([i]) => i === id)?.[1];
  return typeof found === 'number' ? found : undefined;
};

function metricOf(bytes: Buffer): SeenMetric {
  const fields = fieldsOf(bytes);
  const name = fields.find(([id]) => id === 1)?.[1];
  const datatype = numberOf(fields, 4) ?? 0;
  const values = fields.filter(([id]) => id >= 10);
  const isNull = numberOf(fields, 7) === 1;
  const [given] = values;
  let value: SeenMetric['value'] = null;
  if (given !== undefined && given[0] === valueFieldOf[datatype] && values.length === 1) {
    if (given[0] === 13 && Buffer.isBuffer(given[1])) value = given[1].readDoubleLE();
    else if (given[0] === 14) value = given[1] === 1;
    else if (Buffer.isBuffer(given[1])) value = given[1].toString();
    else value = given[1];
  } else if (!isNull || values.length > 0) throw new Error(`value of ${String(name)} and its type`);
  return { name: String(name), datatype, timestamp: numberOf(fields, 3) ?? 0, value };
}

export class SparkplugHost {
  readonly faults: string[] = [];
  readonly seen: Seen[] = [];
  online = false;
  /** Of the last birth, with the newest values. */
  readonly metrics = new Map<string, SeenMetric>();
  private lastSeq = 0;
  private session: number | undefined;
  private rebirthsAsked = 0;
  /** Births of one session: the first and those asked for. */
  private birthsOfSession = 0;

  private constructor(
    private readonly client: MqttClient,
    private readonly group: string,
    private readonly node: string,
  ) {
    client.on('message', (topic, payload, { qos, retain }) => {
      try {
        this.message(topic, payload, qos, retain);
      } catch (error) {
        this.fault('payload-readable', `${topic}: ${String(error)}`);
      }
    });
    client.on('error', () => undefined);
    // What was missed meanwhile is unknown: as a host does, it begins anew and asks.
    client.on('close', () => {
      this.online = false;
      this.birthsOfSession = 0;
    });
  }

  static async open(url: string, group: string, node: string): Promise<SparkplugHost> {
    const client = await mqtt.connectAsync(url, { reconnectPeriod: 100 });
    const host = new SparkplugHost(client, group, node);
    await client.subscribeAsync('spBv1.0/#', { qos: 1 });
    return host;
  }

  of(type: string): Seen[] {
    return this.seen.filter((m) => m.type === type);
  }

  /** Node Control/Rebirth = true, as bytes: a payload with one metric. */
  async askForBirth(): Promise<void> {
    this.rebirthsAsked++;
    const name = Buffer.from('Node Control/Rebirth');
    const metric = Buffer.concat([
      ...[Buffer.from([0x0a, name.length]), name, Buffer.from([0x20, 11, 0x70, 1])],
    ]);
    await this.command(Buffer.concat([Buffer.from([0x12, metric.length]), metric]));
  }

  async command(payload: Buffer, retain = false): Promise<void> {
    const topic = `spBv1.0/${this.group}/NCMD/${this.node}`;
    await this.client.publishAsync(topic, payload, { qos: 0, retain });
  }

  async close(): Promise<void> {
    await this.client.endAsync(true);
  }

  private fault(rule: string, what = ''): void {
    this.faults.push(`${rule} ${what}`.trim());
  }

  private message(topic: string, payload: Buffer, qos: number, retained: boolean): void {
    const [namespace, group, type = '', node, ...rest] = topic.split('/');
    if (type === 'NCMD') return;
    if (namespace !== 'spBv1.0' || group !== this.group || node !== this.node || rest.length > 0)
      return this.fault('topic-namespace', topic);
    const fields = fieldsOf(payload);
    const metrics = fields.flatMap(([id, v]) =>
      id === 2 && Buffer.isBuffer(v) ? metricOf(v) : [],
    );
    const bdSeq = metrics.find(({ name }) => name === 'bdSeq')?.value;
    const seen: Seen = {
      ...{ type, qos, retained, metrics },
      timestamp: numberOf(fields, 1),
      seq: numberOf(fields, 3),
      bdSeq: typeof bdSeq === 'number' ? bdSeq : undefined,
    };
    this.seen.push(seen);
    if (retained) this.fault('not-retained', type);
    if (new Set(metrics.map(({ name }) => name)).size !== metrics.length)
      this.fault('metric-names-unique', type);
    const near = (ms: number | undefined) =>
      ms !== undefined && Math.abs(ms - Date.now()) < 600_000;
    if (!near(seen.timestamp)) this.fault('payload-timestamp', type);
    if (!metrics.every(({ timestamp }) => near(timestamp))) this.fault('metric-timestamp', type);
    if (type === 'NBIRTH') this.birth(seen);
    else if (type === 'NDATA') this.data(seen);
    else if (type === 'NDEATH') this.death(seen);
    else this.fault('known-message-type', type);
  }

  private birth(seen: Seen): void {
    if (seen.qos !== 0) this.fault('nbirth-qos-0');
    if (seen.seq !== 0) this.fault('nbirth-seq-0', String(seen.seq));
    if (seen.bdSeq === undefined) this.fault('nbirth-bdseq');
    const control = seen.metrics.find(({ name }) => name === 'Node Control/Rebirth');
    if (control?.datatype !== 11 || control.value !== false) this.fault('nbirth-rebirth-control');
    if (seen.metrics.find(({ name }) => name === 'bdSeq')?.datatype !== 4)
      this.fault('bdseq-int64');
    if (this.online && seen.bdSeq !== this.session) this.fault('rebirth-same-bdseq');
    if (!this.online && this.session !== undefined && this.birthsOfSession === 0) {
      const steps = ((seen.bdSeq ?? 0) - this.session + 256) % 256;
      // A host that lost its broker may meet the session that it knew.
      if (steps > 3) this.fault('bdseq-plus-1-a-connect', `${this.session} -> ${seen.bdSeq}`);
    }
    if (!this.online) this.birthsOfSession = 0;
    this.birthsOfSession++;
    this.session = seen.bdSeq;
    this.online = true;
    this.lastSeq = 0;
    this.metrics.clear();
    for (const metric of seen.metrics) this.metrics.set(metric.name, metric);
  }

  private data(seen: Seen): void {
    if (seen.qos !== 0) this.fault('ndata-qos-0');
    if (!this.online) {
      // A host that came later does not know this node yet.
      if (this.seen.some(({ type }) => type === 'NDEATH') && this.rebirthsAsked === 0)
        this.fault('ndata-after-nbirth');
      void this.askForBirth();
      return;
    }
    const due = (this.lastSeq + 1) % 256;
    if (seen.seq !== due) this.fault('seq-plus-1', `${due}, not ${seen.seq}`);
    this.lastSeq = seen.seq ?? -1;
    for (const metric of seen.metrics) {
      const born = this.metrics.get(metric.name);
      if (born === undefined) this.fault('ndata-metric-was-born', metric.name);
      else if (born.datatype !== metric.datatype) this.fault('ndata-same-datatype', metric.name);
      if (metric.name === 'bdSeq') this.fault('ndata-no-bdseq');
      this.metrics.set(metric.name, metric);
    }
  }

  private death(seen: Seen): void {
    if (seen.qos !== 1) this.fault('ndeath-qos-1', String(seen.qos));
    if (seen.seq !== undefined) this.fault('ndeath-no-seq');
    if (seen.metrics.length !== 1 || seen.bdSeq === undefined) this.fault('ndeath-only-bdseq');
    if (this.online && seen.bdSeq !== this.session) this.fault('ndeath-bdseq-of-nbirth');
    else this.online = false;
    this.birthsOfSession = 0;
  }
}
