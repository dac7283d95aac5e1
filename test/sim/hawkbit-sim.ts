/**
 * A small hawkBit: the Direct Device Integration API v1 of one tenant, with the state machine of the real
 * server as far as a device sees it, honest until it is told otherwise.
 */
import http from 'node:http';
import type { Test } from 'tap';
import { freePort } from './mosquitto.js';

export interface Told {
  readonly execution: string;
  readonly result: { readonly finished: string; readonly progress?: { cnt: number; of: number } };
  readonly details?: readonly string[];
}

export interface Action {
  readonly id: string;
  download: 'skip' | 'attempt' | 'forced';
  update: 'skip' | 'attempt' | 'forced';
  window?: 'available' | 'unavailable';
  chunks: unknown[];
  state: 'open' | 'cancelling' | 'cancelled' | 'success' | 'failure' | 'downloaded';
  readonly told: Told[];
}

export interface Exchange {
  readonly method: string;
  /** Behind /{tenant}/controller/v1/{controllerId}. */
  readonly path: string;
  readonly request: http.IncomingMessage;
  readonly response: http.ServerResponse;
}

/** Answers in its own way, or returns false to leave it to the honest server. */
export type HawkbitFault = (exchange: Exchange) => boolean;

export interface Assigned {
  readonly name: string;
  readonly version: string;
  readonly sha256: string;
  readonly filename?: string;
}

export class HawkbitSim {
  readonly actions: Action[] = [];
  /** `METHOD path`, in order; those without the right token too. */
  readonly requests: string[] = [];
  attributes: Record<string, string> | null = null;
  authorization = 'TargetToken a-token-of-tests';
  sleep = '00:00:01';
  fault: HawkbitFault = () => false;
  url = '';
  private server: http.Server | null = null;
  private port = 0;

  constructor(
    readonly tenant = 'DEFAULT',
    readonly controllerId = 'board',
  ) {}

  static async start(t: Test): Promise<HawkbitSim> {
    const sim = new HawkbitSim();
    await sim.up();
    t.teardown(() => sim.down());
    return sim;
  }

  async up(): Promise<void> {
    const server = http.createServer((request, response) => this.take(request, response));
    this.server = server;
    this.port ||= await freePort();
    await new Promise<void>((resolve) => server.listen(this.port, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${this.port}`;
  }

  async down(): Promise<void> {
    const { server } = this;
    this.server = null;
    if (server === null) return;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }

  /** As the operator who assigns a distribution set of one module. */
  assign(bundle: Assigned, more: Partial<Action> = {}): Action {
    const {
      name,
      version,
      sha256,
      filename = `${name}-${version}-${sha256.slice(0, 12)}.tar`,
    } = bundle;
    // A link that goes elsewhere: what is fetched from there would be told to the test.
    const href = 'http://127.0.0.1:9/somewhere/else';
    const artifact = {
      filename,
      hashes: { sha1: '0'.repeat(40), md5: '0'.repeat(32), sha256 },
      size: 1234,
      _links: { 'download-http': { href }, 'md5sum-http': { href: `${href}.MD5SUM` } },
    };
    const action: Action = {
      id: String(this.actions.length + 7),
      download: 'forced',
      update: 'forced',
      chunks: [{ part: 'bApp', version, name, artifacts: [artifact] }],
      state: 'open',
      told: [],
      ...more,
    };
    this.actions.push(action);
    return action;
  }

  cancel(action: Action): void {
    if (action.state === 'open') action.state = 'cancelling';
  }

  private take(request: http.IncomingMessage, response: http.ServerResponse): void {
    const base = `/${this.tenant}/controller/v1/${this.controllerId}`;
    const url = request.url ?? '';
    const path = url.startsWith(base) ? url.slice(base.length) : `?${url}`;
    const method = request.method ?? '';
    this.requests.push(`${method} ${path}`);
    const parts: Buffer[] = [];
    request.on('error', () => undefined).on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      if (this.fault({ method, path, request, response })) return;
      if (request.headers.authorization !== this.authorization) return void end(response, 401);
      const body = Buffer.concat(parts).toString('utf8');
      try {
        this.answer(method, path, body === '' ? null : JSON.parse(body), response, base);
      } catch {
        end(response, 400);
      }
    });
  }

  private answer(
    method: string,
    path: string,
    body: unknown,
    response: http.ServerResponse,
    base: string,
  ): void {
    const link = (kind: string) => ({ href: `http://proxy.invalid${base}/${kind}` });
    if (method === 'GET' && path === '') {
      const open = this.actions.find((a) => a.state === 'open');
      const cancelling = this.actions.find((a) => a.state === 'cancelling');
      const _links: Record<string, unknown> = {};
      if (this.attributes === null) _links['configData'] = link('configData');
      if (cancelling !== undefined) _links['cancelAction'] = link(`cancelAction/${cancelling.id}`);
      else if (open !== undefined)
        _links['deploymentBase'] = link(`deploymentBase/${open.id}?c=-2127183556`);
      return json(response, { config: { polling: { sleep: this.sleep } }, _links });
    }
    if (method === 'PUT' && path === '/configData') {
      const { data } = body as { mode: string; data: Record<string, string> };
      this.attributes = data;
      return end(response, 200);
    }
    const [, kind = '', id = '', feedback] =
      /^\/(deploymentBase|cancelAction)\/(\d+)(\/feedback)?$/.exec(path) ?? [];
    const action = this.actions.find((a) => a.id === id);
    if (action === undefined) return end(response, 404);
    if (method === 'GET' && kind === 'cancelAction')
      return json(response, { id, cancelAction: { stopId: id } });
    if (method === 'GET') {
      const { download, update, window, chunks } = action;
      const maintenanceWindow = window === undefined ? {} : { maintenanceWindow: window };
      return json(response, { id, deployment: { download, update, ...maintenanceWindow, chunks } });
    }
    if (method !== 'POST' || feedback === undefined) return end(response, 405);
    if (action.state !== 'open' && action.state !== 'cancelling') return end(response, 410);
    const { status } = body as { time: string; status: Told };
    action.told.push(status);
    if (kind === 'cancelAction') this.cancelled(action, status);
    else if (status.execution === 'closed')
      action.state = status.result.finished === 'failure' ? 'failure' : 'success';
    else if (status.execution === 'downloaded' && action.update === 'skip' && !action.window)
      action.state = 'downloaded';
    end(response, 200);
  }

  /** The real server takes `canceled` on this channel for a mistake. */
  private cancelled(action: Action, { execution, result }: Told): void {
    if (execution === 'rejected') action.state = 'open';
    else if (execution === 'closed')
      action.state = result.finished === 'failure' ? 'failure' : 'cancelled';
  }
}

function end(response: http.ServerResponse, status: number): void {
  response.writeHead(status).end();
}

function json(response: http.ServerResponse, value: unknown): void {
  const bytes = Buffer.from(JSON.stringify(value));
  response
    .writeHead(200, {
      'content-type': 'application/hal+json;charset=UTF-8',
      'content-length': bytes.length,
    })
    .end(bytes);
}
