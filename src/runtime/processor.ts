import { readFileSync } from 'node:fs';

/**
 * Whether this processor multiplies and adds in one rounding, as every 64-bit ARM and every x86 since
 * about 2013 does. Without it ONNX Runtime's sigmoid and tanh have other last bits (docs/quantization.md).
 */
export function hasFusedMultiplyAdd(
  architecture: string = process.arch,
  cpuinfo: () => string = () => readFileSync('/proc/cpuinfo', 'utf8'),
): boolean {
  if (architecture !== 'x64') return true;
  try {
    const flags = /^flags\s*:(.*)$/m.exec(cpuinfo())?.[1];
    return flags === undefined || flags.split(' ').includes('fma');
  } catch {
    // Not Linux: taken for a processor of our days.
    return true;
  }
}
