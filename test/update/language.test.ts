/** A language model from the publisher's folder over HTTP to a daemon that writes down free words all the while. */
import { cp, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { Daemon, type DaemonOptions } from '../sim/daemon.js';
import { FleetSim } from '../sim/fleet-sim.js';
import { languageTar, type LanguageSim } from '../sim/language-bundle.js';
import { MicSim, until } from '../sim/mic-sim.js';
import { freePort, Mosquitto, Subscriber } from '../sim/mosquitto.js';
import { follow } from '../sim/page-board.js';
import { RepositorySim } from '../sim/repository-sim.js';
import { fault } from '../sim/schemas.js';
import { tinyLexicon } from '../sim/tiny-checkpoint.js';
import { speak, toneBundle } from '../sim/tone-model.js';

const on = (topic: string) => `kikitori/board/${topic}`;
const grammar = 'intents: {Stop: {data: [{sentences: ["stop [the] conveyor"]}]}}\n';
const openSlots = 'intents: {Stop: {data: [{sentences: ["stop {dictation}"]}]}}\n';
const lexicon = tinyLexicon();
const first = 'stop the conveyor two\nset the light to blue\nstop conveyor one\n'.repeat(3);
const second = `${first}${'turn on the hall light\n'.repeat(3)}`;

void t.test('fetched, tried and heard with; bad ones go back by themselves', async (t) => {
  const fleet = await FleetSim.make(t, { nowMs: Date.now(), channels: ['stable', 'english'] });
  const server = await RepositorySim.start(t, fleet.dir);
  const publish = async (o: LanguageSim, percent = 100) => {
    const bundle = await languageTar(join(fleet.folder, 'made'), o);
    fleet.clock.nowMs = Date.now();
    return fleet.publish(o.version, { bundle, channel: 'english', percent });
  };
  const rootPath = join(fleet.folder, 'root-of-board.json');
  await cp(join(fleet.dir, 'root.json'), rootPath);
  const tones = await toneBundle();
  t.teardown(() => rm(tones.folder, { recursive: true, force: true }));
  const broker = await Mosquitto.open();
  const subscriber = await Subscriber.open(broker.url);
  const mic = await MicSim.create({});
  const [metricsPort, pagePort] = [await freePort(), await freePort()];
  const options: DaemonOptions = {
    url: broker.url,
    model: tones.path,
    ...{ grammar, mic },
    recognizer: { mode: 'dictation' },
    metrics: { listen: `127.0.0.1:${metricsPort}` },
    page: { listen: `127.0.0.1:${pagePort}` },
    publish: { homeAssistant: { enabled: true } },
    update: {
      url: server.url,
      rootPath,
      language: { channel: 'english' },
      checkEveryMs: '1s',
      trial: { utterances: 6, minSample: 5 },
      limits: { selftestMs: '60s' },
    },
  };
  let daemon = await Daemon.start(options);
  t.teardown(async () => {
    await daemon.remove();
    await mic.remove();
    await subscriber.close();
    await broker.close();
  });
  const told = () => subscriber.topics(on('language')).map((m) => m.json);
  const state = async (version: string, wanted: string) => {
    const is = (u: Record<string, unknown>) =>
      u['state'] === wanted && u['latestVersion'] === version;
    await until(`${version} ${wanted}`, () => told().some(is));
    return told().findLast(is) ?? {};
  };
  const transcripts = () => subscriber.topics(on('transcript')).map((m) => m.json);
  const answers = () => transcripts().length + subscriber.topics(on('rejected')).length;
  const play = (text: string) => mic.say(speak(text, { beforeMs: 300, afterMs: 1200 }, lexicon));
  const say = async (text: string) => {
    const before = answers();
    await play(text);
    await until(`an answer to "${text}"`, () => answers() > before);
  };
  const numbers = async () => (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  const onPage = async () => {
    const stream = await fetch(`http://127.0.0.1:${pagePort}/api/events`);
    return (await follow(stream, ({ name }) => name === 'state')).at(-1)?.data ?? {};
  };
  /** What the page says of sentences with an open slot. */
  const checkedOnPage = async () => {
    const answer = await fetch(`http://127.0.0.1:${pagePort}/api/grammar/check`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ text: openSlots }),
    });
    return (await answer.json()) as Record<string, unknown>;
  };
  const ask = async (payload: Record<string, unknown>) => {
    const transaction = `ask-${performance.now()}`;
    await subscriber.publish(on('request/language'), { ...payload, transaction });
    const is = (m: { topic: string; json: Record<string, unknown> }) =>
      m.topic === on('response/language') && m.json['transaction'] === transaction;
    return (await subscriber.find(is)).json;
  };

  await t.test('without one it runs, says so, and hears nothing', async (t) => {
    await daemon.event('mic.up');
    await daemon.event('dictation.no-model');
    await play('stop the conveyor two');
    await mic.played();
    t.equal(answers(), 0);
    const info = subscriber.topics(on('info')).at(-1)?.json ?? {};
    t.notOk('languageModel' in info);
    t.notMatch(await numbers(), /^kikitori_language_model_info\{/m);
    t.match(await numbers(), 'kikitori_language_update_state{state="idle"} 1');
    const shown = await onPage();
    t.notOk('languageModel' in shown);
    t.match(shown, { languageUpdate: { state: 'idle', installedVersion: '' } });
    t.match(await checkedOnPage(), {
      ok: false,
      faults: [{ line: 1, message: /dictation.*language model/ }],
    });
  });

  await t.test('the first comes from the channel, and commits', async (t) => {
    await publish({ version: '1.0.0', text: first });
    await state('1.0.0', 'trial');
    await say('set the light to blue');
    t.match(transcripts()[0], { text: 'set the light to blue' });
    while (!told().some((u) => u['state'] === 'committed')) await say('stop the conveyor two');
    t.match(await state('1.0.0', 'committed'), { installedVersion: '1.0.0', progress: null });
    await until('the event', () =>
      subscriber.topics(on('event')).some((m) => m.json['event'] === 'language-model-committed'),
    );
    t.match(subscriber.topics(on('info')).at(-1)?.json['languageModel'], {
      name: 'site',
      version: '1.0.0',
    });
  });

  await t.test('metrics, the page and Home Assistant show it', async (t) => {
    const text = await numbers();
    t.match(text, 'kikitori_language_model_info{name="site",version="1.0.0"} 1');
    t.match(text, 'kikitori_language_update_state{state="committed"} 1');
    t.match(await onPage(), {
      languageModel: { name: 'site', version: '1.0.0', words: 9 },
      languageUpdate: { state: 'committed', installedVersion: '1.0.0' },
    });
    t.match(await checkedOnPage(), { ok: true, sentences: 1 }, 'open slots have their words now');
    const told = subscriber.topics('homeassistant/device/kikitori_board/config').at(-1)?.json;
    t.match((told?.['components'] as Record<string, unknown>)['language_model'], {
      platform: 'update',
      state_topic: on('language'),
      command_topic: on('request/language'),
      payload_install: '{"action": "install"}',
    });
  });

  await t.test('a newer one knows more words', async (t) => {
    await publish({ version: '1.1.0', text: second });
    await state('1.1.0', 'trial');
    await say('turn on the hall light');
    t.match(transcripts().at(-1), { text: 'turn on the hall light' });
    while ((await stateNow()) === 'trial') await say('stop conveyor one');
    t.equal(await stateNow(), 'committed');
    t.equal(answers(), transcripts().length, 'nothing that was said was refused');
  });

  await t.test('one that foretells other than it says is refused before it hears', async (t) => {
    await publish({
      version: '1.2.0',
      text: first,
      manifest: (m) => ({
        ...m,
        selftest: { sentences: ['stop the conveyor two'], perplexity: { min: 90, max: 95 } },
      }),
    });
    t.match(await state('1.2.0', 'rejected'), {
      installedVersion: '1.1.0',
      reason: 'selftest',
      error: /the perplexity of its 1 sentences is .*, it says 90 to 95/,
    });
  });

  await t.test('signed bytes that are no language model never reach it', async (t) => {
    await publish({ version: '1.3.0', text: first, model: (file) => file.subarray(0, 500) });
    t.match(await state('1.3.0', 'rejected'), {
      installedVersion: '1.1.0',
      reason: 'does-not-load',
      error: /model\.lm: .*cut off/,
    });
  });

  await t.test('the process dies during the trial: the one before hears again', async (t) => {
    await publish({ version: '1.4.0', text: first });
    await state('1.4.0', 'trial');
    await daemon.child.kill('SIGKILL');
    daemon = await Daemon.start(options, daemon.folder);
    t.match(await state('1.4.0', 'rolled-back'), { installedVersion: '1.1.0', reason: 'crashed' });
    await daemon.event('mic.up');
    await say('turn on the hall light');
    t.match(transcripts().at(-1), { text: 'turn on the hall light' });
  });

  await t.test('a person decides: not back to nothing, and a refused one again', async (t) => {
    t.match(await ask({ action: 'rollback' }), {
      status: 'error',
      error: 'there is none before this one to go back to',
    });
    t.match(await ask({ action: 'install' }), {
      status: 'error',
      error: /1\.4\.0 was refused here before: crashed/,
    });
    t.match(await ask({ action: 'install', retry: true }), { data: { available: true } });
    await until('on trial again', async () => (await stateNow()) === 'trial');
    await say('stop conveyor one');
    t.match(await ask({ action: 'abort' }), {
      status: 'ok',
      data: { state: 'rolled-back', installedVersion: '1.1.0' },
    });
  });

  await t.test('a slot whose bytes rot: the next best one hears from the start', async (t) => {
    await publish({ version: '1.5.0', text: second });
    await state('1.5.0', 'trial');
    while ((await stateNow()) === 'trial') await say('turn on the hall light');
    daemon.child.child.kill('SIGTERM');
    t.equal(await daemon.child.exit(), 0);
    const slots = join(daemon.folder, 'state', 'language', 'slots');
    for (const slot of ['A', 'B'])
      await truncate(join(slots, slot, 'bundle.tar'), 1000).catch(() => undefined);
    daemon = await Daemon.start(options, daemon.folder);
    await daemon.event('update.set-aside');
    await daemon.event('mic.up');
    t.match(daemon.events('update.failed').at(-1), { reason: 'current-unreadable' });
    // The channel still offers it.
    await until('on trial again', async () => (await stateNow()) === 'trial');
    await say('turn on the hall light');
    t.match(transcripts().at(-1), { text: 'turn on the hall light' });
  });

  async function stateNow() {
    await new Promise((resolve) => setTimeout(resolve, 100));
    return told().at(-1)?.['state'];
  }
  t.same(
    told()
      .map((payload) => fault('language', payload))
      .filter((what) => what !== ''),
    [],
  );
});
