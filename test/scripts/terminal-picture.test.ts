import t from 'tap';
import { pictureOf, rowOf } from '../../scripts/lib/terminal-picture.js';

/** A line as scripts/demo.ts prints it. */
const line = (said: string, heard: string, answer: string, confidence: string, latency: string) =>
  `${said.padEnd(44)} ${heard.padEnd(44)} ${answer.padEnd(44)} ${confidence.padStart(5)} ${latency.padStart(8)}`;

const start = line('start the conveyor', 'start the conveyor', 'ConveyorStart', '0.89', '468 ms');
const speed = 'set the conveyor speed to seventy five percent';

void t.test(
  'every line of the table is read, also where a sentence is too long for it',
  async (t) => {
    t.same(rowOf(start), {
      said: 'start the conveyor',
      answer: 'ConveyorStart',
      confidence: '0.89',
      latency: '468 ms',
    });
    t.match(rowOf(line(speed, speed, 'ConveyorSpeed percent=75', '0.89', '336 ms')), {
      said: speed,
      answer: 'ConveyorSpeed percent=75',
    });
    t.match(rowOf(line(`${speed} please`, '-', 'refused: not-a-command', '0.00', '845 ms')), {
      said: `${speed} please`,
      answer: 'refused: not-a-command',
    });
    for (const other of ['', 'A daemon hears:', `${'said'.padEnd(44)} heard   conf  latency`])
      t.equal(rowOf(other), null);
  },
);

void t.test('a mistake is shown, and a line that cannot be read is no picture', async (t) => {
  t.match(rowOf(line('stop', 'start', 'ConveyorStart', '0.69', '446 ms')), {
    said: 'stop',
    answer: 'ConveyorStart (heard: start)',
  });
  t.throws(
    () => rowOf(line(speed, 'start the conveyor', 'ConveyorSpeed', '0.89', '336 ms')),
    /read/,
  );
  t.throws(() => pictureOf('nothing of the kind'), /scripts\/demo/);
});

void t.test('the picture holds each line, and nothing that XML would take for a tag', async (t) => {
  const odd = line('<stop> & go', '-', 'refused: not-a-command', '0.00', '845 ms');
  const svg = pictureOf(['title', start, odd, '', '1 of 2 as expected.'].join('\n'));
  for (const text of ['start the conveyor', 'ConveyorStart', '468 ms', '1 of 2 as expected.'])
    t.ok(svg.includes(`>${text}</text>`), text);
  t.ok(svg.includes('>&lt;stop&gt; &amp; go</text>'));
  t.notOk(svg.includes('<stop>'));
});
