/** The update client against a server that sends one file of a real signed repository otherwise. */
import { cpSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Test } from 'tap';
import { UpdateError } from '../../../src/update/trust/index.js';
import { deviceOf, FleetSim } from '../../sim/fleet-sim.js';
import { mutateJson } from '../engine/mutate-json.js';
import type { Random } from '../engine/random.js';
import { must, thrown, type Target } from '../engine/target.js';

type Board = Awaited<ReturnType<typeof deviceOf>>;

interface World {
  readonly files: ReadonlyMap<string, Buffer>;
  /** A board that has seen the first publication, and the offer of the second. */
  readonly board: Board;
  readonly seenDir: string;
  readonly offer: string;
  /** What the server sends in place of the file of that path. */
  instead: { path: string; bytes: Buffer } | null;
}

let made: Promise<World> | undefined;
const world = () => (made ??= makeWorld());

/** Files of a test end with it; here with the process. */
const untilExit = {
  teardown: (end: () => unknown) => process.on('exit', () => void end()),
} as unknown as Test;

async function makeWorld(): Promise<World> {
  const fleet = await FleetSim.make(untilExit);
  process.on('exit', () => rmSync(fleet.folder, { recursive: true, force: true }));
  const repository = join(fleet.dir, 'repository');
  const state: { world?: World } = {};
  const server: Server = createServer((request, response) => {
    const path = decodeURIComponent((request.url ?? '/').slice(1));
    const { instead } = state.world ?? { instead: null };
    const send = (bytes: Buffer | undefined) =>
      bytes === undefined ? response.writeHead(404).end() : response.writeHead(200).end(bytes);
    if (instead !== null && instead.path === path) send(instead.bytes);
    else readFile(join(repository, path)).then(send, () => send(undefined));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  server.unref();
  const board = await deviceOf(fleet, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  await fleet.publish('1.0.0');
  await (await board.open()).check();
  const seenDir = `${board.stateDir}-seen`;
  cpSync(board.stateDir, seenDir, { recursive: true });
  const seen = new Set(readdirSync(repository, { recursive: true, encoding: 'utf8' }));
  await fleet.publish('1.1.0');
  const offer = told(await (await board.open()).check());
  const files = new Map<string, Buffer>();
  for (const path of readdirSync(repository, { recursive: true, encoding: 'utf8' }).sort())
    if (path.endsWith('.json') && (!seen.has(path) || path.endsWith('timestamp.json')))
      files.set(path, await readFile(join(repository, path)));
  return (state.world = { files, board, seenDir, offer, instead: null });
}

/** An offer without what the board adds. */
function told(offer: unknown): string {
  const { publishedAt: _, ...rest } = offer as { publishedAt?: string };
  return JSON.stringify(rest);
}

const paths = async () => [...(await world()).files.keys()];

/** The first byte says which file it is that the rest stands for. */
export const target: Omit<Target, 'name'> = {
  right:
    'only what is signed is offered, and a refusal says its code; afterwards an honest server is believed again',
  covers: ['src/update/trust/', 'src/update/channel.ts'],
  bytesMax: 8192,
  where: 'http',
  processorMsMax: 5000,
  seeds: async () =>
    [...(await world()).files.values()].map((bytes, i) => Buffer.concat([Buffer.from([i]), bytes])),
  mutate: (input: Buffer, random: Random, other: Buffer) =>
    Buffer.concat([input.subarray(0, 1), mutateJson(input.subarray(1), random, other.subarray(1))]),
  run: async (input) => {
    const w = await world();
    const all = await paths();
    const path = all[(input[0] ?? 0) % all.length] ?? '';
    rmSync(w.board.stateDir, { recursive: true, force: true });
    cpSync(w.seenDir, w.board.stateDir, { recursive: true });
    w.instead = { path, bytes: input.subarray(1) };
    let refusal: Error | undefined;
    try {
      const offer = told(await (await w.board.open()).check());
      must(offer === w.offer, `${path}: another offer than was signed: ${offer.slice(0, 200)}`);
    } catch (error) {
      refusal = thrown(error);
    }
    w.instead = null;
    const offer = told(await (await w.board.open()).check());
    must(offer === w.offer, `after ${path} was wrong the honest server is not believed`);
    must(!existsSync(join(w.board.stateDir, '..', 'evil')), 'a file outside of its folder');
    if (refusal !== undefined) throw refusal;
  },
  refusals: [UpdateError],
};
