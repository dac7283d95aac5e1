import { atomicWrite } from '../../runtime/atomic-write.js';
import type { Io } from './command.js';

/** Writes a drawing, or says why there is none. */
export async function writeChart(io: Io, path: string, svg: string | undefined): Promise<boolean> {
  if (svg === undefined) {
    io.stderr.write(`no picture: ${path} needs the packages @observablehq/plot and linkedom\n`);
    return false;
  }
  await atomicWrite(path, svg, 0o644);
  return true;
}
