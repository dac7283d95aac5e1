/** A download and the regular question at the same time: the download waits, and does not fail. */
import t from 'tap';
import { LazySource } from '../../src/update/index.js';
import { UpdateError } from '../../src/update/trust/errors.js';
import { bundle } from '../sim/machine-setting.js';
import { offerOf } from '../sim/folder-source.js';

const offer = offerOf(bundle('1.0.0'));

/** One thing at a time, as the folder of trust; a question takes until it is answered. */
function stage() {
  const order: string[] = [];
  let taken = false;
  let answer: () => void = () => undefined;
  const source = new LazySource(async () => ({
    async check() {
      taken = true;
      await new Promise<void>((resolve) => (answer = resolve));
      taken = false;
      order.push('checked');
      return offer;
    },
    async download() {
      if (taken) {
        order.push('busy');
        throw new UpdateError('busy', { where: 'trust' });
      }
      order.push('downloaded');
      return '/bundle.tar';
    },
  }));
  return { source, order, answer: () => answer(), take: () => (taken = true) };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

void t.test('the download comes after the question', async (t) => {
  const { source, order, answer } = stage();
  const first = source.check();
  await turn();
  answer();
  await first;
  const second = source.check();
  await turn();
  const path = source.download(offer, () => undefined);
  await turn();
  t.same(order, ['checked'], 'it waits');
  answer();
  await second;
  t.equal(await path, '/bundle.tar');
  t.same(order, ['checked', 'checked', 'downloaded']);
});

void t.test('another process that works there is said in the end', async (t) => {
  const { source, order, answer, take } = stage();
  const first = source.check();
  await turn();
  answer();
  await first;
  take();
  await t.rejects(
    source.download(offer, () => undefined),
    { code: 'busy' },
  );
  t.same(order, ['checked', ...Array.from({ length: 5 }, () => 'busy')]);
});
