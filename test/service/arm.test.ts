/** The recogniser on ARM: the model that ships computes the bits that it was packed with. More: scripts/arm-test. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { builtAlready, program } from '../sim/daemon.js';
import { modelMissing, shippedModel } from '../sim/model.js';
import { Child } from '../sim/process.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const nodeOn = join(resolve(root, process.env['KIKITORI_ARM'] ?? 'tmp/arm'), 'node-on');

function missing(): string | false {
  if (spawnSync('qemu-aarch64', ['--version']).status !== 0) return 'no qemu-aarch64 (qemu-user)';
  if (!existsSync(nodeOn)) return `no ARM Node in ${nodeOn}: scripts/arm-test makes it`;
  if (!builtAlready) return 'not built';
  return modelMissing() ?? false;
}

/** The Raspberry Pi 3's and Zero 2's: the slowest, without a dot product of bytes. Six seconds of an idle core. */
void t.test('self-test on a Cortex-A53', { skip: missing() }, async (t) => {
  const child = Child.run('env', [
    ...['-u', 'NODE_OPTIONS', nodeOn, 'cortex-a53', program],
    ...['model', 'selftest', '--json', shippedModel],
  ]);
  t.equal(await child.exit(), 0, child.errors);
  t.match(JSON.parse(child.lines[0] ?? '{}'), { passed: true, logits: 'same' });
});
