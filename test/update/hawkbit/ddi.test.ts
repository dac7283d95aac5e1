import t from 'tap';
import {
  feedbackBody,
  parseBase,
  parseCancel,
  parseDeployment,
} from '../../../src/update/hawkbit/ddi.js';
import { feedbackOf } from '../../../src/update/hawkbit/feedback.js';
import type { UpdateStatus } from '../../../src/update/index.js';

const base = (value: unknown) => parseBase(JSON.stringify(value), 'here');

void t.test('the base resource', async (t) => {
  t.same(
    base({
      config: { polling: { sleep: '12:00:30' } },
      _links: {
        deploymentBase: { href: 'https://other.invalid/T/controller/v1/b/deploymentBase/5?c=-21' },
        installedBase: { href: 'https://other.invalid/T/controller/v1/b/installedBase/4' },
        configData: { href: 'https://other.invalid/T/controller/v1/b/configData' },
      },
    }),
    { sleepMs: 43_230_000, deploymentId: '5', cancelId: null, wantsConfig: true },
  );
  t.same(base({}), { sleepMs: null, deploymentId: null, cancelId: null, wantsConfig: false });
  for (const sleep of ['', '1', '00:99:00', '-1:00:00', 5, null])
    t.equal(base({ config: { polling: { sleep } } }).sleepMs, null, String(sleep));
  for (const href of ['/deploymentBase/../../evil', '/deploymentBase/', '', 5])
    t.throws(
      () => base({ _links: { deploymentBase: { href } } }),
      { code: 'hawkbit-malformed' },
      String(href),
    );
  for (const source of ['', 'null', '[]', '5', '{', '<html>'])
    t.throws(() => parseBase(source, 'here'), { code: 'hawkbit-malformed' }, source);
});

void t.test('a deployment', async (t) => {
  const deployment = {
    download: 'forced',
    update: 'attempt',
    maintenanceWindow: 'unavailable',
    chunks: [
      { part: 'os', version: '1', name: 'os', artifacts: [] },
      {
        part: 'bApp',
        version: '1.0.91',
        name: 'tiny',
        artifacts: [{ filename: 'a.tar', hashes: { sha256: 'AB'.repeat(32) }, size: 11 }],
      },
    ],
  };
  const parsed = parseDeployment(JSON.stringify({ id: 8, deployment }), 'here');
  t.same(parsed, {
    id: '8',
    download: 'forced',
    update: 'attempt',
    window: 'unavailable',
    artifacts: [{ filename: 'a.tar', sha256: 'ab'.repeat(32), name: 'tiny', version: '1.0.91' }],
  });
  const bad: unknown[] = [
    {},
    { id: '8' },
    { id: '../8', deployment },
    { id: '8', deployment: { ...deployment, download: 'now' } },
    { id: '8', deployment: { ...deployment, update: undefined } },
    { id: '8', deployment: { ...deployment, chunks: {} } },
  ];
  for (const value of bad)
    t.throws(() => parseDeployment(JSON.stringify(value), 'here'), { code: 'hawkbit-malformed' });
  const odd = { ...deployment, chunks: [null, 5, { artifacts: [null, { filename: 5 }] }] };
  t.equal(parseDeployment(JSON.stringify({ id: '8', deployment: odd }), 'x').artifacts.length, 2);
  t.equal(parseCancel('{"id":"11","cancelAction":{"stopId":"10"}}', 'x'), '10');
  t.throws(() => parseCancel('{"id":"11"}', 'x'), { code: 'hawkbit-malformed' });
});

void t.test('every state of the board, as hawkBit hears it', async (t) => {
  const of = (state: UpdateStatus['state'], more: Partial<UpdateStatus> = {}) =>
    feedbackOf({
      state,
      progress: null,
      installedVersion: '1.0.0',
      latestVersion: null,
      deployment: 'hawkbit-7',
      since: '',
      ...more,
    });
  const rows: [ReturnType<typeof of>, string, string][] = [
    [of('downloading', { progress: 30 }), 'proceeding', 'none'],
    [of('verified'), 'downloaded', 'none'],
    [of('trial'), 'proceeding', 'none'],
    [of('committed'), 'closed', 'success'],
    [of('rolled-back', { reason: 'refuses' }), 'closed', 'failure'],
    [of('rejected', { reason: 'selftest' }), 'closed', 'failure'],
    [of('failed', { reason: 'disk-full' }), 'proceeding', 'none'],
    [of('idle', { reason: 'aborted' }), 'closed', 'failure'],
  ];
  for (const [feedback, execution, finished] of rows)
    t.match(feedback, { execution, finished }, JSON.stringify(feedback));
  t.equal(of('idle'), null);
  t.equal(of('downloading', { progress: 30 })?.percent, 25);
  t.match(of('rolled-back', { reason: 'refuses', error: 'refuses 100 %' })?.details, [
    'rolled-back: refuses',
    'refuses 100 %',
  ]);
  const body = feedbackBody(
    '8',
    { execution: 'closed', finished: 'failure', details: ['x'.repeat(9000), ''] },
    0,
  );
  t.match(JSON.parse(body), {
    id: '8',
    time: '1970-01-01T00:00:00.000Z',
    status: { execution: 'closed', result: { finished: 'failure' }, details: ['x'.repeat(500)] },
  });
});
