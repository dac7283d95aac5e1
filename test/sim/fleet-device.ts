/** A board seen from the broker: a small MQTT client that tells what a real one tells, with retained topics. */
import mqtt, { type MqttClient } from 'mqtt';
import { eligibility, type ChannelFile } from '../../src/update/index.js';

export class FleetDevice {
  private done = '';
  private constructor(
    readonly id: string,
    private readonly client: MqttClient,
    private readonly base: string,
    private readonly good: boolean,
  ) {}

  static async open(
    url: string,
    id: string,
    {
      base = 'kikitori',
      good = true,
      ...credentials
    }: { base?: string; good?: boolean; username?: string; password?: string } = {},
  ) {
    const topic = `${base}/${id}/state`;
    const client = await mqtt.connectAsync(url, {
      ...credentials,
      clientId: `kikitori-${id}`,
      will: { topic, payload: Buffer.from('{"state":"offline"}'), qos: 1, retain: true },
    });
    const device = new FleetDevice(id, client, base, good);
    await device.retain('state', { state: 'online' });
    await device.runs('1.0.0', 'a');
    const { health } = {
      health: { mic: 'up', rtf: 0.02, dropped: 0, queued: 0, clockSynced: true },
    };
    await device.retain('health', { ...health, accepted: 90, rejected: 10, confidence: 0.93 });
    await device.retain('update', {
      state: 'idle',
      progress: null,
      installedVersion: '1.0.0',
      latestVersion: null,
    });
    return device;
  }

  retain(kind: string, payload: unknown): Promise<unknown> {
    const text = typeof payload === 'string' ? payload : JSON.stringify(payload);
    return this.client.publishAsync(`${this.base}/${this.id}/${kind}`, text, {
      qos: 1,
      retain: true,
    });
  }

  async runs(version: string, digest: string): Promise<void> {
    await this.retain('info', {
      version: '0.1.0',
      model: { name: 'tiny', version, sha256: digest.repeat(64).slice(0, 64) },
      grammar: { sha256: 'f'.repeat(64), sentences: 5 },
      config: {},
    });
  }

  /** One check of the repository: takes part if its turn has come, once. */
  async poll(channel: ChannelFile): Promise<void> {
    if (this.done === channel.deployment) return;
    if (!eligibility({ id: this.id, groups: [] }, channel).eligible) return;
    this.done = channel.deployment;
    const about = {
      progress: null,
      latestVersion: channel.bundle.version,
      deployment: channel.deployment,
      since: new Date().toISOString(),
    };
    await this.retain('update', {
      ...about,
      state: 'trial',
      installedVersion: channel.bundle.version,
    });
    if (this.good) await this.runs(channel.bundle.version, 'b');
    await this.retain(
      'update',
      this.good
        ? { ...about, state: 'committed', installedVersion: channel.bundle.version }
        : { ...about, state: 'rolled-back', installedVersion: '1.0.0', reason: 'crash-loop' },
    );
  }

  get took(): boolean {
    return this.done !== '';
  }

  /** Pulls the plug: the broker publishes the will. */
  vanish(): void {
    this.client.stream.destroy();
    this.client.end(true);
  }

  close(): Promise<void> {
    return this.client.endAsync(true);
  }
}
