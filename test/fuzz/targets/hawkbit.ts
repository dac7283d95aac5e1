import {
  feedbackBody,
  parseBase,
  parseCancel,
  parseDeployment,
} from '../../../src/update/hawkbit/ddi.js';
import { mutateJson } from '../engine/mutate-json.js';
import { must, thrown, type Target } from '../engine/target.js';

const link = (path: string) => ({
  href: `https://hawkbit.example/default/controller/v1/board/${path}`,
});
const artifact = {
  filename: 'b.tar',
  hashes: { sha1: '', sha256: 'AB'.repeat(32) },
  size: 5,
  _links: {},
};
const chunk = { part: 'bApp', name: 'kikitori-en', version: '0.9.0', artifacts: [artifact] };

/** Every answer is read as each of the three: a server may mix them up. */
export const target: Omit<Target, 'name'> = {
  right:
    'ids are numbers of at most 19 digits, times are within four days and a half, texts are short; feedback is JSON',
  covers: ['src/update/hawkbit/ddi.ts'],
  text: true,
  where: 'hawkbit.example',
  seeds: () => [
    JSON.stringify({
      config: { polling: { sleep: '00:05:00' } },
      _links: {
        deploymentBase: link('deploymentBase/12?c=-213'),
        configData: link('configData'),
        cancelAction: link('cancelAction/11'),
      },
    }),
    JSON.stringify({
      id: '12',
      deployment: {
        download: 'forced',
        update: 'attempt',
        maintenanceWindow: 'available',
        chunks: [chunk],
      },
    }),
    JSON.stringify({ id: 13, cancelAction: { stopId: '12' } }),
  ],
  mutate: mutateJson,
  run: (input) => {
    const source = input.toString('utf8');
    const refusals: Error[] = [];
    const tried = <T>(read: (source: string, where: string) => T, check: (value: T) => void) => {
      let value: T;
      try {
        value = read(source, 'hawkbit.example');
      } catch (error) {
        refusals.push(thrown(error));
        return;
      }
      check(value);
    };
    tried(parseBase, ({ sleepMs, deploymentId, cancelId }) => {
      must(
        sleepMs === null || (sleepMs >= 0 && sleepMs <= 999 * 3600_000 + 3_599_000),
        `sleeps ${sleepMs} ms`,
      );
      for (const id of [deploymentId, cancelId]) must(id === null || isId(id), `the id ${id}`);
    });
    tried(parseDeployment, (d) => {
      must(isId(d.id), `the id ${d.id}`);
      for (const a of d.artifacts)
        must(
          Object.values(a).every((v) => typeof v === 'string' && v.length <= 300),
          'a long text',
        );
      const details = d.artifacts.flatMap((a) => [a.filename, a.name, a.version, a.sha256]);
      const body = feedbackBody(d.id, { execution: 'closed', finished: 'failure', details }, 0);
      must(typeof JSON.parse(body) === 'object', 'no JSON');
    });
    tried(parseCancel, (id) => must(isId(id), `the id ${id}`));
    const strange = refusals.find((e) => e.constructor.name !== 'DdiError');
    if (strange !== undefined) throw strange;
    const [first] = refusals;
    if (refusals.length === 3 && first !== undefined) throw first;
  },
};

const isId = (id: string) => /^\d{1,19}$/.test(id);
