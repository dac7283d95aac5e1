import { KikitoriError } from '../../runtime/errors.js';
import { isIntegerFormat, type IntegerFormat } from './formats.js';

/** What of a checkpoint decides which activations there are. */
interface NetworkShape {
  readonly kind: 'lstm' | 'lstmp';
  readonly layers: readonly number[];
  readonly inputRank: number;
}

/** What a checkpoint says about its quantisation; docs/quantization.md is the contract. */
export interface CheckpointQuantization {
  readonly weights: IntegerFormat;
  /** Scales by activation; what is not named is calibrated. */
  readonly activations: Readonly<Record<string, number>>;
  /** How the scales were found, for the manifest and the reader. */
  readonly calibration?: Readonly<Record<string, unknown>>;
}

/** The `quantization` of a checkpoint's metadata, with everything that is wrong about it. */
export function readQuantization(
  network: NetworkShape,
  value: unknown,
): { quantization?: CheckpointQuantization; faults: string[] } {
  if (value === undefined || value === null) return { faults: [] };
  const { weights, activations, calibration } = value as Partial<Record<string, unknown>>;
  const faults: string[] = [];
  if (!isIntegerFormat(weights)) {
    faults.push(
      `quantization.weights is ${JSON.stringify(weights) ?? 'missing'}, expected "uint8", "int4" or "mixed"`,
    );
  }
  const named = isRecord(activations) ? activations : {};
  if (!isRecord(activations)) faults.push('quantization.activations is no table of scales');
  faults.push(...scaleFaults(network, named));
  if (faults.length > 0 || !isIntegerFormat(weights)) return { faults };
  const quantization = {
    weights,
    activations: named as Record<string, number>,
    ...(isRecord(calibration) ? { calibration } : {}),
  };
  return { quantization, faults };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Scale of h when nothing names one: |h| < 1. */
export const hiddenScale = Math.fround(1 / 127);

/** Every activation of a network that is quantised, in the order in which a step meets them. */
export function activationNames(network: NetworkShape): string[] {
  const projected = network.kind === 'lstmp';
  return [
    'input',
    ...(network.inputRank > 0 ? ['input.projection'] : []),
    ...network.layers.flatMap((_, l) => (projected ? [`h.${l}`, `p.${l}`] : [`h.${l}`])),
  ];
}

/** Static scales of all activations of a network, as float32. */
export class ActivationScales {
  private constructor(private readonly scales: ReadonlyMap<string, number>) {}

  /** @throws when one is missing, unknown, or no positive float32. */
  static from(
    network: NetworkShape,
    named: Readonly<Record<string, number>>,
    where: string,
  ): ActivationScales {
    const faults = scaleFaults(network, named);
    const scales = new Map<string, number>();
    for (const name of activationNames(network)) {
      const scale = namedScale(named, name) ?? (name.startsWith('h.') ? hiddenScale : undefined);
      if (scale === undefined) faults.push(`no scale for ${name}`);
      else scales.set(name, Math.fround(scale));
    }
    if (faults.length > 0) {
      throw new KikitoriError(faults.join('; '), {
        kind: 'input',
        where,
        expected: `positive scales for ${activationNames(network).join(', ')}`,
        hint: 'kikitori model quantize calibrates them',
      });
    }
    return new ActivationScales(scales);
  }

  of(activation: string): number {
    const scale = this.scales.get(activation);
    if (scale === undefined) throw new Error(`no scale for ${activation}`);
    return scale;
  }

  toJSON(): Record<string, number> {
    return Object.fromEntries(this.scales);
  }
}

/** A scale by its own name, or by `h` for every h.l. */
export function namedScale(
  named: Readonly<Record<string, number>>,
  activation: string,
): number | undefined {
  const own = Object.hasOwn(named, activation) ? named[activation] : undefined;
  if (own !== undefined) return own;
  return activation.startsWith('h.') && Object.hasOwn(named, 'h') ? named['h'] : undefined;
}

/** What is wrong with scales that somebody wrote, in words; missing ones are no fault. */
export function scaleFaults(
  network: NetworkShape,
  named: Readonly<Record<string, unknown>>,
): string[] {
  const known = new Set(['h', ...activationNames(network)]);
  return Object.entries(named).flatMap(([name, scale]) => {
    if (!known.has(name)) return [`no activation is called "${name}"`];
    const single = typeof scale === 'number' ? Math.fround(scale) : NaN;
    // The quotient by a denormal scale would overflow.
    return Number.isFinite(single) && single >= 2 ** -100
      ? []
      : [`the scale of ${name} is ${JSON.stringify(scale) ?? 'missing'}`];
  });
}
