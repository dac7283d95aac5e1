/** A log that cannot be written ends nothing: lines are dropped, counted, and told of. */
import t from 'tap';
import { LineSink } from '../../src/runtime/line-sink.js';

/** A disk with so many bytes left; then it says `code`. */
class Disk {
  text = '';
  constructor(
    public left: number,
    public code = 'ENOSPC',
  ) {}
  readonly write = (bytes: Uint8Array) => {
    if (this.left === 0) throw Object.assign(new Error('no'), { code: this.code });
    const part = bytes.subarray(0, this.left);
    this.left -= part.length;
    this.text += Buffer.from(part).toString();
    return part.length;
  };
}
const tell = (lines: number, why: string) => `dropped ${lines} ${why}\n`;

void t.test('a full disk, and room again', async (t) => {
  for (const room of [0, 1, 3, 6, 8]) {
    const disk = new Disk(room);
    const sink = new LineSink(disk.write);
    for (let n = 1; n <= 4; n++) sink.write(`line ${n}\n`, tell);
    const whole = Math.floor(room / 7);
    t.equal(sink.dropped, 4 - whole);
    disk.left = 1000;
    sink.write('again\n', tell);
    sink.write('and again\n', tell);
    const lines = disk.text.split('\n').filter((line) => !/^l?i?n?e? ?\d?$/.test(line));
    t.same(lines, [`dropped ${4 - whole} ENOSPC`, 'again', 'and again'], `${room} bytes of room`);
    t.equal(sink.dropped, 4 - whole, 'counted since the start');
  }
});

void t.test('a reader that is gone, and one that stands still', async (t) => {
  for (const code of ['EPIPE', 'EIO', 'EBADF', 'EAGAIN']) {
    const sink = new LineSink(new Disk(0, code).write);
    for (let n = 0; n < 100; n++) sink.write('x\n', tell);
    t.equal(sink.dropped, 100, code);
  }
});
