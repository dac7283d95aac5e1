import { readFileSync } from 'node:fs';
import { Engine, hearOwnClip, type EngineOptions, type LogitsAnswer } from './engine.js';
import { KikitoriError, type ErrorKind } from '../runtime/errors.js';

export interface SelfTestResult {
  /** The phrase of the clip was heard with the logits that the bundle names, and the site's grammar compiles. */
  readonly passed: boolean;
  /** Bit for bit those of the machine that packed it; float networks name none. */
  readonly logits: LogitsAnswer;
  readonly name: string;
  readonly version: string;
  readonly sampleRateHz: number;
  readonly wanted: string;
  readonly heard: string;
  readonly confidence: number;
  /** The quickest of the runs after the first, which warms up. */
  readonly realTimeFactor: number;
  /** The same in processor time: a busy board waits longer, and computes hardly more. */
  readonly processorFactor: number;
  readonly openMs: number;
  /** Of the site's grammar, if one was given. */
  readonly sentences: number | null;
  readonly compileMs: number;
  /** Of this whole process. */
  readonly peakRssMb: number;
}

export interface SelfTestFault {
  readonly passed: false;
  /** What could not be done, and whose fault it may be: 'grammar' and 'input' are the site's files. */
  readonly fault: { readonly kind: ErrorKind | 'internal'; readonly message: string };
}

/** Opens a bundle as the daemon would, hears the clip that it carries, and says what that cost here. */
export async function selfTest(options: EngineOptions): Promise<SelfTestResult> {
  const begin = performance.now();
  const engine = await Engine.open(options);
  const openMs = performance.now() - begin;
  const { manifest } = engine.bundle;
  const clock = () => performance.now();
  await hearOwnClip(engine, clock);
  const runs = [await hearOwnClip(engine, clock), await hearOwnClip(engine, clock)] as const;
  const [clip] = runs;
  const compileBegin = performance.now();
  const site = options.grammarPath === undefined ? null : await engine.compile();
  const compileMs = performance.now() - compileBegin;
  return {
    ...clip,
    passed: runs.every(({ passed }) => passed),
    realTimeFactor: Math.min(...runs.map((run) => run.realTimeFactor)),
    processorFactor: Math.min(...runs.map((run) => run.processorFactor)),
    name: manifest.name,
    version: manifest.version,
    sampleRateHz: manifest.features.sampleRateHz,
    openMs,
    sentences: site?.sentences ?? null,
    compileMs,
    peakRssMb: peakRssMb(),
  };
}

export function selfTestFault(error: unknown): SelfTestFault {
  const kind = error instanceof KikitoriError ? error.kind : 'internal';
  const message = error instanceof Error ? error.message : String(error);
  return { passed: false, fault: { kind, message } };
}

/** The kernel's own high-water mark; rusage may count what the parent was before exec. */
export function peakRssMb(): number {
  try {
    const found = /VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
    if (found !== undefined) return (Number(found) * 1024) / 1e6;
  } catch {
    // Not Linux.
  }
  return (process.resourceUsage().maxRSS * 1024) / 1e6;
}
