/** What is fuzzed, and what "right" means for it. */
import { KikitoriError } from '../../../src/runtime/errors.js';
import type { Random } from './random.js';

export type Input = string | Uint8Array;

export interface Target {
  readonly name: string;
  /** One sentence, beside what holds for all of them: judge.ts. */
  readonly right: string;
  /** Files or folders (with "/" at the end) under src/ whose coverage is printed. */
  readonly covers: readonly string[];
  /** Whole and good inputs to begin with, made by our own code. */
  readonly seeds: () => Iterable<Input> | Promise<Iterable<Input>>;
  /** Throws what the product throws, or a Wrong. */
  readonly run: (input: Buffer) => void | Promise<void>;
  /** Words of the input's language, beside the texts of the sources. */
  readonly words?: readonly string[];
  /** A change that keeps the structure; tried as often as changes of bytes. */
  readonly mutate?: (input: Buffer, random: Random, other: Buffer) => Uint8Array;
  /** Longer inputs are cut. */
  readonly bytesMax?: number;
  /** The input is text: it is kept as text, and bytes that are none are seldom tried. */
  readonly text?: boolean;
  /** Named in every refusal. */
  readonly where?: string;
  /** What may be thrown beside a KikitoriError. */
  readonly refusals?: readonly (abstract new (...args: never[]) => Error)[];
  /** Processor time of one execution; more is a find. */
  readonly processorMsMax?: number;
}

/** Bytes that no product's file is needed for: 4 kB say all that a parser can be told. */
export const bytesMax = (target: Target): number => target.bytesMax ?? 4096;
export const processorMsMax = (target: Target): number => target.processorMsMax ?? 1500;

/** What must hold did not. */
export class Wrong extends Error {}

export function must(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Wrong(what);
}

/** What was thrown, to be thrown again once the rest is looked at. */
export const thrown = (error: unknown): Error =>
  error instanceof Error ? error : new Wrong(`threw ${String(error)}`);

/** The value of a call, or undefined where the product refused; anything else it throws goes on. */
export function unlessRefused<T>(call: () => T): T | undefined {
  try {
    return call();
  } catch (error) {
    if (error instanceof KikitoriError) return undefined;
    throw error;
  }
}
