/** What scripts/kills runs; its figures are for docs/reliability.md. */
import { machine, commit } from '../../bench/lib/report.js';
import { Kills } from '../sim/kills.js';

const [seed = 1, transcripts = 5000, kills = 200, brokerKills = 50] = process.argv
  .slice(2)
  .map(Number);
const began = performance.now();
const found = await Kills.run({ seed, transcripts, kills, brokerKills }, (text) =>
  process.stderr.write(`${text}\n`),
);
const { cpu, cores, node, loadBefore } = machine();
const rows: [string, number | string][] = [
  ['seed', seed],
  ['transcripts accepted', found.accepted],
  ['SIGKILL of the daemon', found.kills],
  ['  of these while it started', found.startKills],
  ['SIGKILL of mosquitto', found.brokerKills],
  ['messages delivered', found.delivered],
  ['lost', found.lost.length],
  ['out of order', found.outOfOrder.length],
  ['duplicates', found.duplicates],
  ['furthest duplicate, messages behind', found.furthestDuplicate],
  ['duplicates with another id or content', found.strange.length],
  ['seconds', Math.round((performance.now() - began) / 1000)],
];
process.stdout.write(
  `kills at ${commit()}; ${cpu}, ${cores} cores, Node ${node}, load ${loadBefore} before\n`,
);
for (const [name, value] of rows) process.stdout.write(`  ${name.padEnd(38)} ${value}\n`);
const wrong = [...found.lost, ...found.outOfOrder, ...found.strange];
for (const one of wrong.slice(0, 20)) process.stdout.write(`  WRONG ${one}\n`);
process.exitCode = wrong.length === 0 ? 0 : 1;
