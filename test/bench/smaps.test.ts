import t from 'tap';
import { partOf, readMappings } from '../../bench/lib/smaps.js';

/** Of a real daemon; a mapping has more lines than these. */
const smaps = `00400000-00b6f000 r--p 00000000 fe:00 4242                               /usr/bin/node
Size:               7612 kB
Rss:                7036 kB
Pss:                3518 kB
Referenced:         1204 kB
Anonymous:             0 kB
VmFlags: rd mr mw me sd
42b58000-43cb7000 rw-p 00000000 00:00 0                                  [heap]
Size:              17788 kB
Rss:               17784 kB
Pss:               17784 kB
Anonymous:         17784 kB
1ada4e80000-1ada4ec0000 rw-p 00000000 00:00 0 
Size:                256 kB
Rss:                 256 kB
Anonymous:           256 kB
7fbb67fd0000-7fbb681e4000 rw-p 00000000 00:00 0 
Rss:                2128 kB
7fbb6533c000-7fbb675c9000 r-xp 014c4000 fe:00 77                         /k/node_modules/onnxruntime-node/bin/libonnxruntime.so.1
Rss:               17188 kB
7fbb8ce99000-7fbb8cf9a000 r-xp 00099000 fe:00 78                         /usr/lib/libstdc++.so.6.0.30
Rss:                 668 kB
7ffd00000000-7ffd00021000 rw-p 00000000 00:00 0                          [stack]
Rss:                 120 kB
`;

void t.test('mappings are read, and each belongs to one part', async (t) => {
  const mappings = readMappings(smaps);
  t.same(
    mappings.map((mapping) => [partOf(mapping), mapping.residentKb, mapping.anonymousKb]),
    [
      ['node, program text', 7036, 0],
      ['C heap (brk)', 17784, 17784],
      ['V8: objects and code', 256, 256],
      ['anonymous: buffers, network, stacks', 2128, 0],
      ['ONNX Runtime, program text', 17188, 0],
      ['other libraries', 668, 0],
      ['anonymous: buffers, network, stacks', 120, 0],
    ],
  );
  t.same(mappings[0], {
    name: '/usr/bin/node',
    permissions: 'r--p',
    startsAt: 0x400000n,
    sizeKb: 7612,
    residentKb: 7036,
    proportionalKb: 3518,
    touchedKb: 1204,
    anonymousKb: 0,
  });
  t.same(readMappings(''), []);
});
