/** How a long piece of work is told of: a line of words at a time. */
export type Say = (line: string) => void;

/** Work that is shorter than this is not told of, and no two lines follow closer. */
const everyMs = 5000;

/**
 * Says how far a piece of work is and how long it will take, by how long it took so far: nothing in the
 * first five seconds, then a line each five seconds at most.
 */
export function remaining(
  what: string,
  say: Say,
  nowMs: () => number,
): (done: number, of: number) => void {
  const beganMs = nowMs();
  let saidMs = beganMs;
  return (done, of) => {
    const now = nowMs();
    if (now - saidMs < everyMs || done <= 0 || done >= of) return;
    saidMs = now;
    const left = (((now - beganMs) / done) * (of - done)) / 1000;
    const time = left < 90 ? `${Math.ceil(left)} s` : `${Math.ceil(left / 60)} min`;
    say(`${what}: ${Math.floor((100 * done) / of)} %, ${time} left`);
  };
}
