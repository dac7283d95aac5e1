/** Labels of recordings, of both kinds of file. */
import t from 'tap';
import { parseLabels } from '../../src/measure/evaluate/labels.js';

void t.test('every label names a file', async (t) => {
  t.same(parseLabels('{"a.wav":"stop","b.wav":null}', 'l.json'), [
    { file: 'a.wav', text: 'stop' },
    { file: 'b.wav', intent: null },
  ]);
  t.same(parseLabels('file\ttext\na.wav\tstop\nb.wav\t\n', 'l.tsv'), [
    { file: 'a.wav', text: 'stop' },
    { file: 'b.wav', intent: null },
  ]);
  t.throws(() => parseLabels('{"":"stop"}', 'l.json'), {
    message: /^l\.json: 1 entries have the wrong shape: ""; expected/,
  });
  t.throws(() => parseLabels('file\ttext\na.wav\tstop\n\tgo\n', 'l.tsv'), {
    message: 'l.tsv: label 2 names no file: "\\tgo"; expected a file name in the column "file"',
  });
});
