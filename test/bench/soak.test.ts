/** What a soak concludes: slopes that one odd hour does not move, and each verdict by a run that breaks it. */
import t from 'tap';
import { soakChart } from '../../bench/lib/soak-chart.js';
import { growth, judge, settled, windowsOf, type Sample } from '../../bench/lib/soak-judge.js';
import { theilSen } from '../../bench/lib/trend.js';

const hourMs = 3_600_000;

void t.test("Theil's and Sen's slope, and its interval", async (t) => {
  const line = Array.from({ length: 10 }, (_, x) => ({ x, y: 3 + 2 * x }));
  t.same(theilSen(line), { slope: 2, low: 2, high: 2 });
  const odd = line.map(({ x, y }) => ({ x, y: x === 4 ? 1e6 : y }));
  t.equal(theilSen(odd).slope, 2, 'one odd point');
  t.ok(Number.isNaN(theilSen([{ x: 0, y: 1 }]).slope), 'one point has none');
  const four = [0, 1, 4, 5].map((y, x) => ({ x, y }));
  const slopes = [1, 2, 5 / 3, 3, 2, 1].sort((a, b) => a - b);
  const { slope, low, high } = theilSen(four);
  t.equal(slope, ((slopes[2] ?? 0) + (slopes[3] ?? 0)) / 2);
  t.same([low, high], [1, 3], 'four points tell little: all of their slopes');
});

/** A day in which memory grows by so much an hour, from the first to the last sample. */
function day(change: { mb?: number; descriptors?: number; cpu?: number; latencyMs?: number }) {
  const samples: Sample[] = [];
  const answers: { intent: string; latencyMs: number }[] = [];
  for (let minute = 0; minute <= 24 * 60; minute++) {
    const hour = minute / 60;
    samples.push({
      audioMs: minute * 60_000,
      rssMb: 120 + (change.mb ?? 0) * hour + (minute % 7),
      peakMb: 0,
      descriptors: 25 + (minute % 3) + Math.floor((change.descriptors ?? 0) * hour),
      children: minute % 2,
      cpuSeconds: 60 * minute * 0.01 * (1 + (change.cpu ?? 0) * hour),
      ...{ accepted: minute, orders: minute },
    });
    // One of ten is late: the machine was busy.
    const late = minute % 10 === 0 ? 900 : 0;
    const latencyMs = 300 + (change.latencyMs ?? 0) * hour + late;
    answers.push({ intent: minute % 2 === 0 ? 'Stop' : 'Start', latencyMs });
  }
  return windowsOf(samples, answers, hourMs);
}

const well = {
  ...{ hours: 24, accepted: 1440, missing: 0, duplicates: 3 },
  ...{ childrenAtEnd: 0, left: 0, status: 0, errors: 0 },
};
const wrong = (windows: ReturnType<typeof day>, counts = well) =>
  judge(windows, counts)
    .filter(({ holds }) => !holds)
    .map(({ name }) => name);

void t.test('windows: medians, the fewest, the fastest', async (t) => {
  const windows = day({});
  t.equal(windows.length, 24);
  t.match(windows[5], { hour: 6, rssMb: 123, descriptors: 25, children: 0, fastestMs: 300 });
  t.equal(windows[5]?.rtf.toFixed(3), '0.010');
  t.equal(windows[5]?.acceptedShare, 1);
  t.equal(settled(windows).length, 20);
  t.equal(growth(settled(day({ mb: 0.5 })), (w) => w.rssMb).slope, 9.5, 'over 19 hours');
});

void t.test('a day that is as promised, and days that are not', async (t) => {
  t.same(wrong(day({})), []);
  t.same(wrong(day({ mb: 0.04 })), [], 'less than a megabyte');
  t.same(wrong(day({ mb: 0.1 })), ['resident memory, growth']);
  t.same(wrong(day({ mb: -1 })), [], 'less is no growth');
  t.same(wrong(day({ descriptors: 0.2 })), ['descriptors, growth']);
  const windows = day({});
  const brokenLine = windows.map((w, i) => (i === 5 ? { ...w, descriptors: 24 } : w));
  t.same(wrong(brokenLine), [], 'a window in which a line was down');
  const unclosed = windows.map((w, i) => (i > 12 ? { ...w, descriptors: 26 } : w));
  t.same(wrong(unclosed), ['descriptors, growth'], 'one that is never closed again');
  t.same(wrong(day({ cpu: 0.05 })), ['processor time of a second of audio, growth']);
  t.same(wrong(day({ latencyMs: 5 })), ['fastest answers, growth']);
  t.same(wrong(day({}), { ...well, missing: 1 }), ['transcripts lost, of those accepted']);
  t.same(wrong(day({}), { ...well, accepted: 0 }), ['transcripts lost, of those accepted']);
  const processes = ['children before the stop, processes after it'];
  t.same(wrong(day({}), { ...well, left: 1 }), processes);
  t.same(wrong(day({}), { ...well, childrenAtEnd: 1 }), processes);
  t.same(wrong(day({}), { ...well, status: 1 }), ['status of its end']);
  t.same(wrong(day({}), { ...well, errors: 1 }), ['errors in the log that were not provoked']);
});

void t.test('a short run says less of memory, and nothing of speed', async (t) => {
  t.same(wrong(day({ mb: 0.2, cpu: 1, latencyMs: 50 }), { ...well, hours: 1 }), []);
  t.same(wrong(day({ mb: 1 }), { ...well, hours: 1 }), ['resident memory, growth']);
});

void t.test('the picture has all four', async (t) => {
  const samples: Sample[] = [0, 1, 2].map((n) => ({
    ...{ audioMs: n * hourMs, rssMb: 120 + n, peakMb: 0, descriptors: 25, children: 0 },
    ...{ cpuSeconds: n, accepted: n, orders: n },
  }));
  const svg = await soakChart(samples, day({}));
  if (svg === undefined) {
    t.pass('the packages that draw are optional');
    return;
  }
  t.match(svg, /^<svg/);
  for (const what of ['resident memory', 'open descriptors', 'end of speech', 'processor time'])
    t.match(svg, new RegExp(what));
});
