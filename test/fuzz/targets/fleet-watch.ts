import { page } from '../../../src/fleet/watch/page.js';
import { summary, table } from '../../../src/fleet/watch/table.js';
import { FleetView, watchedTopics } from '../../../src/fleet/watch/view.js';
import { mutateJson } from '../engine/mutate-json.js';
import { must, type Target } from '../engine/target.js';

const nl = Buffer.from('\n');

/** A topic, a line feed, and what some device of the fleet says there. */
export const target: Omit<Target, 'name'> = {
  right:
    'no control character reaches the terminal, no tag the page; a device says nothing of another; bounded',
  covers: ['src/fleet/watch/view.ts', 'src/fleet/watch/table.ts', 'src/fleet/watch/page.ts'],
  words: [...watchedTopics, 'kikitori/', '<script>', '\x1b[2J', '/board/'],
  seeds: () => [
    'kikitori/board-1/state\n{"state":"online"}',
    'kikitori/board-1/info\n{"version":"0.9.0","model":{"name":"kikitori-en","version":"0.9.0","sha256":"ab"}}',
    'kikitori/board-2/health\n{"accepted":5,"rejected":1,"confidence":0.8,"list":["a",1]}',
    'kikitori/b/update\n{"state":"committed","progress":50,"deployment":"d","since":"2026-11-24T20:00:00Z"}',
    'kikitori/b/event\n{"event":"audio.lost"}',
  ],
  mutate: (input, random, other) => {
    const end = Math.max(0, input.indexOf(10));
    const from = Math.max(0, other.indexOf(10));
    return Buffer.concat([
      (random.chance(0.1) ? other : input).subarray(0, random.chance(0.1) ? from : end),
      nl,
      mutateJson(input.subarray(end + 1), random, other.subarray(from + 1)),
    ]);
  },
  run: (input) => {
    const end = Math.max(0, input.indexOf(10));
    const view = new FleetView('kikitori', 3);
    view.apply(input.toString('utf8', 0, end), input.subarray(end + 1), false, 1e12);
    const devices = view.list();
    must(devices.length <= 1, 'more devices than spoke');
    const shown = [table(devices, 1e12), ...summary(devices)].join('\n');
    must(
      !/[\0-\x09\x0b-\x1f\x7f-\x9f]/.test(shown),
      `a control character in ${JSON.stringify(shown)}`,
    );
    must(shown.length < 8000, 'a table without end');
    const html = page(devices, 1e12, null);
    must(!/<script|<img|<svg on/i.test(html), 'a tag of the device in the page');
    must(html.length < 64_000, 'a page without end');
  },
};
