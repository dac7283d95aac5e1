/** Bundles that hang, grow, crash or say nothing: only the process that tries them suffers. */
import t from 'tap';
import { systemClock, type Clock } from '../../src/runtime/clock.js';
import { runProbe } from '../../src/update/probe.js';

const limits = { timeoutMs: 10_000, memoryMb: 400 };
/** A busy machine may not give a program its processor time before the limit by the clock. */
const noLimitByTheClock: Clock = {
  ...systemClock,
  after: (ms, callback) => (ms < 1000 ? systemClock.after(ms, callback) : () => undefined),
};
const run = (
  code: string,
  change: Partial<typeof limits> = {},
  signal = new AbortController().signal,
) => runProbe([process.execPath, '-e', code], { ...limits, ...change }, noLimitByTheClock, signal);

void t.test('what a program says and how it ends', async (t) => {
  t.same(await run('console.log("noise"); console.log(JSON.stringify({passed: true}))'), {
    ended: 'said',
    said: { passed: true },
  });
  t.match(await run('process.kill(process.pid, "SIGSEGV")'), {
    ended: 'killed',
    reason: 'does-not-load',
    detail: /signal SIGSEGV/,
  });
  t.match(await run('console.error("out of luck"); process.exitCode = 3'), {
    reason: 'does-not-load',
    detail: /status 3: out of luck/,
  });
  t.match(await run('for (;;);', { timeoutMs: 300 }), {
    reason: 'too-slow',
    detail: /after 0.3 s/,
  });
  t.match(
    await run('const a = []; setInterval(() => a.push(Buffer.alloc(2e7, 1)), 5)', {
      memoryMb: 150,
    }),
    { reason: 'too-large', detail: /at most 150/ },
  );
  t.match(await run('console.log("{")'), { reason: 'does-not-load' });
  t.match(await runProbe(['/no/such/program'], limits, systemClock, new AbortController().signal), {
    reason: 'does-not-load',
    detail: /ENOENT/,
  });
  t.match(await run('process.kill(process.pid, "SIGTERM"); setInterval(() => {}, 1000)'), {
    reason: 'interrupted',
    detail: /SIGTERM/,
  });
  const sleeps = ['sleep', '1000'];
  const never = new AbortController().signal;
  const hangs = await runProbe(sleeps, { ...limits, timeoutMs: 100 }, systemClock, never);
  t.match(hangs, { reason: 'too-slow', late: true, detail: /after 1 s/ });
  const stop = new AbortController();
  const running = run('setInterval(() => {}, 1000)', {}, stop.signal);
  stop.abort();
  t.match(await running, { reason: 'aborted' });
});
