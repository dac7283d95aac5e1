/** What is off costs nothing: of a neighbour that is off no file and no library is loaded. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { builtAlready, Daemon, type DaemonOptions } from '../sim/daemon.js';
import { MicSim } from '../sim/mic-sim.js';
import { toneBundle } from '../sim/tone-model.js';

const grammar = `intents:
  Stop: {data: [{sentences: ["stop [the] conveyor"]}]}
`;
const libraries = ['prom-client', 'multicast-dns', 'dns-packet', 'protobufjs', 'lit-html'];
type Test = Parameters<Parameters<typeof t.test>[0]>[0];

/** The folders of neighbours, and the libraries of theirs, from which a daemon loaded something in its life. */
async function loaded(t: Test, more: Partial<DaemonOptions>): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'kikitori-loaded-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const mic = await MicSim.create({});
  t.teardown(() => mic.remove());
  const daemon = await Daemon.start({
    ...{ url: 'mqtt://127.0.0.1:9', grammar, mic, watched: false },
    model: (await toneBundle()).path,
    // V8 writes down every script that it ran.
    env: { NODE_V8_COVERAGE: folder },
    ...more,
  });
  await daemon.event('mic.up');
  await daemon.child.kill('SIGTERM');
  await daemon.remove();
  const found = new Set<string>();
  for (const file of await readdir(folder)) {
    const { result } = JSON.parse(await readFile(join(folder, file), 'utf8')) as {
      result: { url: string }[];
    };
    for (const { url } of result) {
      const [, own] = /\/dist\/src\/neighbours\/(.+)$/.exec(url) ?? [];
      if (own?.includes('/') === true) found.add(own.split('/')[0] ?? '');
      const library = libraries.find((name) => url.includes(`/node_modules/${name}/`));
      if (library !== undefined) found.add(library);
    }
  }
  return [...found].sort();
}

/** One file that only looks whether Home Assistant has to be told that it is off now. */
const always = ['home-assistant'];

void t.test('all off, and one on', { skip: builtAlready ? false : 'not built' }, async (t) => {
  t.same(await loaded(t, {}), always);
  t.same(await loaded(t, { metrics: { listen: '127.0.0.1:0' } }), [
    ...always,
    ...['metrics', 'prom-client', 'shared'],
  ]);
});
