/** The table of docs/dictation.md is made of lines as the benches print them. */
import t from 'tap';
import { freeWordsTable, type Printed } from '../../bench/lib/free-words-table.js';

const slot = (side: string, shift: number) => `${side} 4 words, dev/queen: 40 said by 2
  fixed words right: 10.0 % (9.0 to 11.0) of 40
${side} 4 words, all strangers: 142 said by 23
  fixed words right: 98.${shift} % (96.5 to 100.0) of 142
  and accepted: 74.6 % (70.0 to 80.0) of 142
  words of the slot right: 55.${shift} % (47.6 to 64.1) of 806
  the same, accepted alone: 60.0 % (50.0 to 70.0) of 500
  accepted and every word right: 10.0 % (5.0 to 15.0) of 142
  another command accepted: 100.0 % (100.0 to 100.0) of 142
  not in the grammar, and refused: 97.8 % (95.0 to 100.0) of 138
`;
const floors = ['0.0', '0.5', '0.6', '0.7', '0.8', '0.9'];
const printed: Printed = {
  dictation: `dictation at abc; {}
dev/novels, truth 0: 25 clips, 25 people, 321 s; phone errors 31.5 %
  word error 34.1 % (26.8 to 42.3): 200 substituted, 30 left out, 39 added of 790 words
  of real time: network 0.0042
dev/reader, truth 0: 25 clips, 1 people, 180 s; phone errors 43.5 %
  word error 44.7 % (36.7 to 53.7): 150 substituted, 20 left out, 19 added of 423 words
`,
  noise: floors
    .map(
      (floor, i) =>
        `floor ${floor}: noise ${100 - 10 * i} words, ${50 - 5 * i} messages an hour; speech 44.1 % word error, ${800 - 8 * i} words written; alone ${47 - i} of 47 answered, ${20 - i} right`,
    )
    .join('\n'),
  slots: slot('first', 6) + slot('last', 7),
  talk: '{"other":"talk dev/talk","hours":0.5,"utterances":159,"falseAccepts":2,"falseAcceptsPerHour":4}\n',
};

void t.test('each figure stands where it belongs', async (t) => {
  const lines = freeWordsTable(printed).split('\n');
  t.ok(lines.includes('| dev/novels, 25 clips of 25, 790 words | 34.1 % (26.8 to 42.3) |'));
  t.ok(lines.includes('| dev/reader, 25 clips of 1, 423 words | 44.7 % (36.7 to 53.7) |'));
  t.ok(lines.includes('| 0.7 | 70 words in 35 messages | 97.0 % | 44 of 47, 17 right |'));
  t.ok(
    lines.includes(
      '| slot last | 98.6 % (96.5 to 100.0) | 74.6 % (70.0 to 80.0) | 55.6 % (47.6 to 64.1) of 806 | 2.2 % of 138 |',
    ),
  );
  t.match(lines.join('\n'), /slot first \| 98\.7 %/);
  t.ok(lines.includes('2 commands out of 30 minutes of talk, 159 utterances (4.0 an hour)'));
});

void t.test('a bench that prints otherwise is told, not left out', async (t) => {
  t.throws(() => freeWordsTable({ ...printed, talk: '' }), { message: /talk/ });
  t.throws(() => freeWordsTable({ ...printed, noise: printed.noise.replace('floor 0.8', '') }), {
    message: /floor 0\.8/,
  });
  t.throws(() => freeWordsTable({ ...printed, dictation: 'dev/novels' }), { message: /novels/ });
});
