/**
 * Everything that reads bytes from outside, with every input that is kept and some changes of it: the same in every run.
 * The search for new ones is scripts/fuzz.
 */
import t from 'tap';
import { fuzzed } from './engine/again.js';
import { targetNames, loadTarget } from './targets.js';

/** Changed inputs a target; where an execution is slow, as many as fit into so much processor time. */
const changes = 200;
const changesMs = 200;

for (const name of targetNames)
  void t.test(name, async (t) => {
    const target = await loadTarget(name);
    const { finds, executions } = await fuzzed(target, { changes, changesMs });
    t.same(
      finds.map(({ what, input }) => `${what}\n${input.toString('base64').slice(0, 2000)}`),
      [],
      target.right,
    );
    t.ok(executions > 0);
    t.match(target.right, /\w/);
    t.ok(target.covers.length > 0);
  });
