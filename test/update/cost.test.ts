import t from 'tap';
import { weigh } from '../../src/update/cost.js';

void t.test('slow by itself, or next to others', async (t) => {
  const limit = 0.5;
  const calm = (processor: number) => ({ processor, wall: 1.1 * processor });
  const busy = (processor: number) => ({ processor, wall: 9 * processor });
  const table = [
    ['fits', calm(0.4), calm(0.1), 'within the limit'],
    ['fits', busy(0.4), busy(0.4), 'within it, whatever the clock says'],
    ['fits', { processor: 0.7, wall: 0.4 }, calm(0.1), 'by several threads'],
    ['slow', calm(0.6), calm(0.1), 'beyond it on a board that has time'],
    ['doubt', busy(0.6), calm(0.1), 'it had to wait'],
    ['doubt', calm(0.6), busy(0.1), 'what hears had to wait'],
    ['doubt', calm(0.6), calm(0.55), 'so is what hears'],
    ['doubt', calm(0.6), null, 'what hears cannot be measured'],
    ['slow', busy(1.1), busy(0.9), 'more than neighbours can explain'],
    ['slow', { processor: Infinity, wall: Infinity }, calm(0.1), 'it said no figure'],
  ] as const;
  for (const [weight, candidate, running, why] of table)
    t.equal(weigh(candidate, running, limit), weight, why);
});
