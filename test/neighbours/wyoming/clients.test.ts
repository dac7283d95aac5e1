/** The service as it ships: the spoken sentences of the demo, recorded orders, and the protocol's own client. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { readAudioFile } from '../../../src/audio/index.js';
import { Engine } from '../../../src/engine/engine.js';
import { Listener } from '../../../src/recognizer/index.js';
import { builtAlready, Daemon } from '../../sim/daemon.js';
import { demoAudio, modelMissing, shippedModel } from '../../sim/model.js';
import { Child } from '../../sim/process.js';
import { WyomingClient } from '../../sim/wyoming-client.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const data = process.env['KIKITORI_DATA'] ?? join(root, '../shared/data');
const orders = join(data, 'dev/orders');
const noModel = modelMissing() ?? (builtAlready ? false : 'not built');
const grammarPath = join(root, 'config/sentences.yaml');

type Test = Parameters<Parameters<typeof t.test>[0]>[0];

async function serving(t: Test, grammar: string): Promise<number> {
  const daemon = await Daemon.start({
    url: 'mqtt://127.0.0.1:9',
    model: shippedModel,
    grammar,
    capture: { source: 'none' },
    wyoming: { listen: '127.0.0.1:0' },
  });
  t.teardown(() => daemon.remove());
  const port = Number((await daemon.event('wyoming.listening'))['port']);
  await daemon.event('agent.ready');
  return port;
}

async function sentences(): Promise<{ file: string; expect: string }[]> {
  const rows = (await readFile(join(root, 'demo/sentences.tsv'), 'utf8')).trim().split('\n');
  return rows.slice(1).map((row) => {
    const [file = '', , expect = ''] = row.split('\t');
    return { file: join(demoAudio, file), expect };
  });
}

/** The protocol's own client from PyPI in a folder of its own; undefined where PyPI is not reached. */
function ownClient(): string | undefined {
  const folder = join(root, 'tmp/wyoming');
  if (existsSync(join(folder, 'wyoming'))) return folder;
  const wanted = ['-m', 'pip', 'install', '--quiet', '--target', folder, 'wyoming==1.10.2'];
  const pip = spawnSync('python3', wanted, { timeout: 60_000 });
  return pip.status === 0 ? folder : undefined;
}

const client = noModel === false ? ownClient() : undefined;
const noClient = client === undefined ? 'wyoming could not be fetched from PyPI' : false;

void t.test('the protocol’s own client is understood', { skip: noModel || noClient }, async (t) => {
  const port = await serving(t, await readFile(grammarPath, 'utf8'));
  const wanted = await sentences();
  const child = Child.run(
    'python3',
    [
      join(root, 'scripts/wyoming/client.py'),
      ...['127.0.0.1', String(port), 'file'],
      ...wanted.map(({ file }) => file),
    ],
    { PYTHONPATH: client ?? '' },
  );
  t.teardown(() => child.kill());
  t.equal(await child.exit(), 0, child.errors);
  const [info, ...heard] = child.lines
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  t.match(info, { info: { asr: [{ requires_external_vad: false, installed: true }] } });
  t.same(
    heard.map((line) => (line['text'] === '' ? 'refused' : line['intent'])),
    wanted.map(({ expect }) => expect),
  );
});

const noOrders = noModel === false && !existsSync(orders) ? `no recordings in ${orders}` : noModel;

void t.test(
  'recorded orders, as a microphone would have heard them',
  { skip: noOrders },
  async (t) => {
    const grammar = await readFile(`${orders}.yaml`, 'utf8');
    const port = await serving(t, grammar);
    const engine = await Engine.open({ modelPath: shippedModel, grammarPath: `${orders}.yaml` });
    t.teardown(() => engine.close());
    const recognizer = engine.recognizer(await engine.compile());
    const files = (await readdir(orders)).filter((name) => name.endsWith('.flac')).slice(0, 6);
    for (const file of files) {
      const { samples } = await readAudioFile(join(orders, file), {
        rateHz: 16_000,
        channel: 'mix',
      });
      const listener = new Listener(recognizer);
      const steps = engine.frontend().feed(samples);
      const events = [...(await listener.feed(steps)), ...(await listener.stop())];
      const heard = events.flatMap((event) => (event.type === 'heard' ? [event.heard] : []))[0];
      const wanted = heard?.accepted === true ? heard.text : '';
      t.equal(await (await WyomingClient.open(port)).order(samples).text(), wanted, file);
    }
  },
);
