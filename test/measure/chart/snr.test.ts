import t from 'tap';
import { snrChart } from '../../../src/measure/chart/charts.js';

void t.test('a line each with its name, and a band where there is an interval', async (t) => {
  const svg = await snrChart(
    [
      {
        name: 'ours',
        points: [
          { snrDb: 6, right: 0.7, low: 0.6, high: 0.8 },
          { snrDb: 12, right: 0.9, low: 0.85, high: 0.94 },
        ],
      },
      { name: 'theirs', points: [6, 12].map((snrDb) => ({ snrDb, right: 0.8 })) },
    ],
    'right',
  );
  if (svg === undefined) {
    t.pass('the packages that draw are optional');
    return;
  }
  t.match(svg, /^<svg/);
  for (const name of ['ours', 'theirs']) t.match(svg, new RegExp(`>${name}</text>`));
  t.match(svg, /fill-opacity="0.2"/, 'the interval');
  t.match(svg, />60 %</, 'the axis begins at the lowest end of an interval');
  t.notMatch(svg, />50 %</);
});
