/** Metrics of the daemon as it ships: names and values, read as Prometheus does; what a port must bear. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import { Daemon } from '../../sim/daemon.js';
import { FleetSim } from '../../sim/fleet-sim.js';
import { MicSim, until } from '../../sim/mic-sim.js';
import { freePort, Mosquitto, Subscriber } from '../../sim/mosquitto.js';
import { RepositorySim } from '../../sim/repository-sim.js';
import { tinyLexicon } from '../../sim/tiny-checkpoint.js';
import { speak, toneBundle } from '../../sim/tone-model.js';

const grammar = `intents:
  Stop: {data: [{sentences: ["stop [the] conveyor"]}]}
  Light: {data: [{sentences: ["turn (on|off) the (kitchen|hall) light"]}]}
`;
type Test = Parameters<Parameters<typeof t.test>[0]>[0];
const run = promisify(execFile);
const lexicon = tinyLexicon();

/** Samples by name with labels, such as kikitori_muted or kikitori_intents_total{intent="Stop"}. */
function samples(text: string): Map<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => {
      const space = line.lastIndexOf(' ');
      return [line.slice(0, space), Number(line.slice(space + 1))] as const;
    }),
  );
}

/** A Prometheus of the test's own that scrapes a port; resolves with a query of one number. */
async function prometheus(t: Test, folder: string, port: number) {
  const config = join(folder, 'prometheus.yml');
  await writeFile(
    config,
    `global: {scrape_interval: 1s}
scrape_configs: [{job_name: kikitori, static_configs: [{targets: ['127.0.0.1:${port}']}]}]
`,
  );
  const own = await freePort();
  const child = spawn(
    'prometheus',
    [
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(folder, 'prometheus')}`,
      `--web.listen-address=127.0.0.1:${own}`,
    ],
    { stdio: 'ignore' },
  );
  t.teardown(async () => {
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
    await rm(folder, { recursive: true, force: true });
  });
  return async (query: string): Promise<number | undefined> => {
    const url = `http://127.0.0.1:${own}/api/v1/query?query=${encodeURIComponent(query)}`;
    const answer = await fetch(url).catch(() => undefined);
    if (answer?.ok !== true) return undefined;
    const { data } = (await answer.json()) as { data: { result: { value: [number, string] }[] } };
    const value = data.result[0]?.value[1];
    return value === undefined ? undefined : Number(value);
  };
}

void t.test('numbers over HTTP and in a file', async (t) => {
  const broker = await Mosquitto.open();
  const subscriber = await Subscriber.open(broker.url);
  const mic = await MicSim.create({});
  const { path: model, folder } = await toneBundle();
  const port = await freePort();
  const fleet = await FleetSim.make(t, { nowMs: Date.now() });
  await fleet.publish('9.0.0', { percent: 0 });
  const repository = await RepositorySim.start(t, fleet.dir);
  await repository.down();
  const rootPath = join(fleet.folder, 'root-of-board.json');
  await cp(join(fleet.dir, 'root.json'), rootPath);
  const daemon = await Daemon.start({
    ...{ url: broker.url, model, grammar, mic },
    update: { url: repository.url, rootPath, checkEveryMs: '1s' },
    metrics: { listen: `127.0.0.1:${port}`, textfile: join(folder, 'kikitori.prom') },
  });
  t.teardown(async () => {
    await daemon.remove();
    await mic.remove();
    await subscriber.close();
    await broker.close();
  });
  const get = async (path = '/metrics', options: RequestInit = {}) =>
    fetch(`http://127.0.0.1:${port}${path}`, options);
  const read = async () => samples(await (await get()).text());

  await daemon.event('mic.up');
  await mic.say(speak('stop the conveyor', { beforeMs: 300, afterMs: 300 }, lexicon));
  await subscriber.find((m) => m.topic.endsWith('/intent/Stop'));
  await until(
    'it is counted',
    async () => (await read()).get('kikitori_intents_total{intent="Stop"}') === 1,
  );
  const numbers = await read();
  const at = (name: string) => numbers.get(name);
  t.equal(at('kikitori_utterances_total{result="accepted"}'), 1);
  t.equal(at('kikitori_latency_seconds_count'), 1);
  t.ok((at('kikitori_audio_seconds_total') ?? 0) > 0.5);
  t.ok((at('kikitori_inference_seconds_total') ?? 0) > 0);
  for (const name of ['microphone_up', 'mqtt_connected']) t.equal(at(`kikitori_${name}`), 1, name);
  for (const name of [
    'muted',
    'outbox_messages',
    'microphone_restarts_total',
    'audio_lost_seconds_total',
  ])
    t.equal(at(`kikitori_${name}`), 0, name);
  t.ok([...numbers.keys()].some((name) => name.startsWith('kikitori_model_info{name=')));
  t.ok([...numbers.keys()].some((name) => name.startsWith('kikitori_update_state{state="idle"}')));
  t.ok(numbers.has('process_resident_memory_bytes'));

  // Asked without an answer is no check.
  const lastCheck = async () =>
    (await read()).get('kikitori_update_last_check_timestamp_seconds') ?? null;
  await daemon.event('update.check-failed');
  t.equal(await lastCheck(), null, 'not there before the first answer');
  const askedS = Date.now() / 1000;
  await repository.up();
  await until('the repository has answered', async () => (await lastCheck()) !== null);
  const first = (await lastCheck()) ?? 0;
  t.ok(first >= askedS && first <= Date.now() / 1000, `seconds since 1970: ${first}`);
  await until('it is asked again', async () => ((await lastCheck()) ?? 0) > first);

  await until('the file is there', async () => {
    const text = await readFile(join(folder, 'kikitori.prom'), 'utf8').catch(() => '');
    return text.endsWith('\n') && samples(text).has('kikitori_muted');
  });

  t.equal((await get('/other')).status, 404);
  t.equal((await get('/metrics', { method: 'POST', body: 'x' })).status, 405);
  t.equal(await (await get('/metrics', { method: 'HEAD' })).text(), '');
  const promtool = run('promtool', ['check', 'metrics']);
  promtool.child.stdin?.end(await (await get()).text());
  t.equal((await promtool).stderr, '', 'promtool has nothing to say');

  // A real Prometheus takes it.
  const query = await prometheus(t, folder, port);
  await until('Prometheus has it', async () => (await query('up{job="kikitori"}')) === 1);
  // A scrape that takes longer than its second takes all numbers away until the next.
  for (const number of ['kikitori_intents_total{intent="Stop"}', 'kikitori_microphone_up'])
    await until(number, async () => (await query(number)) === 1);

  // What is no request, too long, or never ends.
  const rude = Array.from({ length: 200 }, (_, i) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(
      i % 3 === 0 ? '\0\xff garbage\r\n\r\n' : `GET /${'a'.repeat(i % 3 === 1 ? 20_000 : 1)}`,
    );
    return socket;
  });
  await mic.say(speak('turn on the hall light', { beforeMs: 300, afterMs: 300 }, lexicon));
  await subscriber.find((m) => m.topic.endsWith('/intent/Light'));
  t.pass('it goes on hearing');
  for (const socket of rude) socket.destroy();
  await until('it answers again', async () =>
    get().then(
      ({ ok }) => ok,
      () => false,
    ),
  );
});

void t.test('a port that another program has is taken when it is free', async (t) => {
  const port = await freePort();
  const other = (await import('node:net')).createServer();
  await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve));
  const { HttpPort } = await import('../../../src/neighbours/shared/http-port.js');
  const { LinesLog } = await import('../../sim/lines-log.js');
  const { TestClock } = await import('../../sim/test-clock.js');
  const lines = new LinesLog();
  const clock = new TestClock();
  const http = new HttpPort(
    { clock, log: lines.log },
    {
      ...{ listen: `127.0.0.1:${port}`, connectionsMax: 1, name: 'metrics' },
      handle: (_, response) => void response.end('well'),
    },
  );
  await until('it is said', () => lines.with('http.no-port').length === 1);
  await new Promise((resolve) => other.close(resolve));
  await until('it listens', async () => {
    await clock.advance(5000);
    return http.address !== null;
  });
  t.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), 'well');
  await http.close();
});

void t.test('the examples are right, and name only numbers that there are', async (t) => {
  const folder = fileURLToPath(new URL('../../../examples/prometheus/', import.meta.url));
  const { stdout } = await run('promtool', ['check', 'config', join(folder, 'prometheus.yml')]);
  t.match(stdout, /SUCCESS/);
  const page = await readFile(join(folder, '../../docs/metrics.md'), 'utf8');
  const source = await readFile(join(folder, '../../src/neighbours/metrics/numbers.ts'), 'utf8');
  for (const name of ['kikitori.rules.yml', 'grafana-dashboard.json']) {
    const text = await readFile(join(folder, name), 'utf8');
    for (const [, metric = ''] of text.matchAll(/\bkikitori_([a-z_]+?)(?:_bucket)?\b/g))
      t.match(page, `kikitori_${metric}`, `${name}: kikitori_${metric}`);
  }
  for (const [, metric = ''] of page.matchAll(/`kikitori_([a-z_]+)/g))
    t.match(source, metric, `docs/metrics.md: ${metric}`);
});

void t.test('the alert of a board whose repository is silent', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'kikitori-rules-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const rules = fileURLToPath(
    new URL('../../../examples/prometheus/kikitori.rules.yml', import.meta.url),
  );
  // The clock of promtool begins at 0: one board was answered at 60 s, the other each hour.
  await writeFile(
    join(folder, 'test.yml'),
    `rule_files: ['${rules}']
evaluation_interval: 1h
tests:
  - interval: 1h
    input_series:
      - series: kikitori_update_last_check_timestamp_seconds{instance="silent"}
        values: 60x60
      - series: kikitori_update_last_check_timestamp_seconds{instance="well"}
        values: 0+3600x60
    alert_rule_test:
      - { eval_time: 47h, alertname: KikitoriUpdatesUnasked }
      - eval_time: 49h
        alertname: KikitoriUpdatesUnasked
        exp_alerts:
          - exp_labels: { instance: silent }
            exp_annotations: { summary: no repository has answered silent for two days }
`,
  );
  const { stdout } = await run('promtool', ['test', 'rules', join(folder, 'test.yml')]);
  t.match(stdout, /SUCCESS/);
});
