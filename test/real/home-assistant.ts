/** A real Home Assistant in a folder of its own, made by the peer's script; ended with the test. */
import { execFile, spawn } from 'node:child_process';
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '../sim/mosquitto.js';

const run = promisify(execFile);
/** The first start installs it. */
const startLimitMs = 3_000_000;

export interface EntityState {
  readonly entity_id: string;
  readonly state: string;
  readonly attributes: Readonly<Record<string, unknown>>;
}

export interface DeviceTrigger {
  readonly type: string;
  readonly subtype: string;
  readonly discovery_id: string;
}

/** Asks one thing over the WebSocket, with the client that Home Assistant brings. */
const webSocketProgram = `
import asyncio, json, sys, aiohttp
async def main(base, token, asked):
    async with aiohttp.ClientSession() as session, session.ws_connect(base + "/api/websocket", max_msg_size=0) as ws:
        await ws.receive_json()
        await ws.send_json({"type": "auth", "access_token": token})
        await ws.receive_json()
        await ws.send_json({"id": 1, **json.loads(asked)})
        print(json.dumps(await ws.receive_json()))
asyncio.run(main(*sys.argv[1:]))
`;

export class HomeAssistant {
  private constructor(
    readonly root: string,
    readonly base: string,
    readonly token: string,
  ) {}

  static async open(script: string, root: string, mqttPort: number): Promise<HomeAssistant> {
    const port = await freePort();
    const { stdout } = await run('bash', [script, root, String(port), String(mqttPort)], {
      timeout: startLimitMs,
    });
    const [base = '', token = ''] = stdout.trim().split('\n').slice(-2);
    return new HomeAssistant(root, base, token);
  }

  async request(path: string, body?: unknown): Promise<unknown> {
    const response = await fetch(`${this.base}/api/${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { authorization: `Bearer ${this.token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
    return response.headers.get('content-type')?.includes('json') === true
      ? (JSON.parse(text) as unknown)
      : text;
  }

  /** Of the device, by entity id; none while it does not answer. */
  async states(): Promise<ReadonlyMap<string, EntityState>> {
    const all = await this.request('states').catch(() => []);
    return new Map((all as EntityState[]).map((state) => [state.entity_id, state]));
  }

  async call(service: string, data: Readonly<Record<string, unknown>>): Promise<void> {
    await this.request(`services/${service.replace('.', '/')}`, data);
  }

  async template(template: string): Promise<string> {
    return String(await this.request('template', { template }));
  }

  async webSocket(asked: Readonly<Record<string, unknown>>): Promise<unknown> {
    const { stdout } = await run(
      'chroot',
      [
        this.root,
        '/ha/bin/python3',
        '-c',
        webSocketProgram,
        this.base,
        this.token,
        JSON.stringify(asked),
      ],
      { timeout: 300_000 },
    );
    return (JSON.parse(stdout) as { result: unknown }).result;
  }

  /** Subtypes of our device triggers, and where they are from. */
  async triggers(deviceId: string): Promise<DeviceTrigger[]> {
    const all = await this.webSocket({
      type: 'device_automation/trigger/list',
      device_id: deviceId,
    });
    return (all as (DeviceTrigger & { domain: string })[]).filter(
      ({ domain }) => domain === 'mqtt',
    );
  }

  async automations(yaml: string): Promise<void> {
    await writeFile(join(this.root, 'cfg', 'automations.yaml'), yaml);
    await this.configure('automation: !include automations.yaml\n');
  }

  /** From the next start on. */
  async configure(yaml: string): Promise<void> {
    await appendFile(join(this.root, 'cfg', 'configuration.yaml'), yaml);
  }

  async log(): Promise<string[]> {
    return (await readFile(join(this.root, 'hass.log'), 'utf8')).split('\n');
  }

  /** Ends, as by a service manager. */
  async stop(): Promise<void> {
    const pid = await this.pid();
    kill(pid, 'SIGTERM');
    const until = performance.now() + 120_000;
    while (kill(pid, 0)) {
      if (performance.now() > until) kill(pid, 'SIGKILL');
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  /** Again, with what it keeps. */
  async start(): Promise<void> {
    const log = join(this.root, 'hass.log');
    const child = spawn(
      'sh',
      ['-c', `exec setsid chroot "$0" /ha/bin/hass --config /cfg >> "$1" 2>&1`, this.root, log],
      { stdio: 'ignore', env: { ...process.env, HOME: '/root', NODE_OPTIONS: '' } },
    );
    child.unref();
    await writeFile(join(this.root, 'hass.pid'), `${child.pid ?? ''}\n`);
    const until = performance.now() + 300_000;
    while (
      !((await this.request('config').catch(() => ({}))) as { state?: string }).state?.includes(
        'RUNNING',
      )
    ) {
      if (performance.now() > until) throw new Error('Home Assistant does not begin');
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }

  private async pid(): Promise<number> {
    return Number(await readFile(join(this.root, 'hass.pid'), 'utf8'));
  }
}

function kill(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    return false;
  }
}
