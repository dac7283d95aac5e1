/** One execution, and whether it went as it must. What holds for every target stands here. */
import { KikitoriError } from '../../../src/runtime/errors.js';
import { processorMsMax, Wrong, type Target } from './target.js';

export interface Find {
  /** Short, the same for every input that fails in the same way. */
  readonly key: string;
  readonly what: string;
}

/** Longer ones fill the log. */
const messageLettersMax = 64 * 1024;
/** Words of the language's own errors: inside a refusal they say nothing to an operator. */
const internals =
  /Cannot (read|set) prop|is not (a function|iterable|a constructor)|call stack|Invalid (typed )?array|Cannot convert|Cannot destructure|\[object Object\]|at position -|circular structure|array buffer/i;

const usual = new Set(Object.getOwnPropertyNames(Object.prototype));

/** Undefined: all is well. */
export async function judge(target: Target, input: Buffer): Promise<Find | undefined> {
  const began = process.cpuUsage();
  let find: Find | undefined;
  try {
    const running = target.run(input);
    if (running !== undefined) await running;
  } catch (error) {
    find = refusalFault(target, input, error);
  }
  const { user, system } = process.cpuUsage(began);
  const ms = (user + system) / 1000;
  return (
    find ??
    pollution() ??
    (ms > processorMsMax(target)
      ? { key: 'slow', what: `took ${Math.round(ms)} ms of the processor` }
      : undefined)
  );
}

function refusalFault(target: Target, input: Buffer, error: unknown): Find | undefined {
  if (!(error instanceof Error)) return { key: 'no error', what: `threw ${String(error)}` };
  const shown = error.stack?.split('\n').slice(0, 8).join('\n') ?? error.message;
  if (error instanceof Wrong)
    return { key: error.message.replace(/\d+/g, 'N').slice(0, 60), what: shown };
  const own = [KikitoriError, ...(target.refusals ?? [])].some((kind) => error instanceof kind);
  if (!own) return { key: placeOf(error), what: `no refusal of ours: ${shown}` };
  const { message } = error;
  const bad = (key: string) => ({ key, what: `${key}: ${message.slice(0, 300)}` });
  if (message.trim() === '') return bad('a refusal without words');
  if (message.length > messageLettersMax) return bad('a refusal without an end');
  if (target.where !== undefined && !message.includes(target.where))
    return bad('a refusal that does not say where');
  const inner = internals.exec(message);
  if (inner !== null && error instanceof KikitoriError && !input.toString().includes(inner[0]))
    return {
      key: `internals: ${placeOf((error.cause as Error | undefined) ?? error)}`,
      what: `internals in a refusal: ${shown}`,
    };
  return undefined;
}

/** Where in the product it was thrown. */
function placeOf(error: Error): string {
  const line = (error.stack ?? '').split('\n').find((l) => /[\\/](src|test)[\\/]/.test(l)) ?? '';
  const place = /((?:src|test)[\\/][^)]*)/.exec(line)?.[1] ?? '';
  return `${error.name} ${place}`;
}

function pollution(): Find | undefined {
  const added = Object.getOwnPropertyNames(Object.prototype).filter((name) => !usual.has(name));
  if (added.length === 0) return undefined;
  for (const name of added) delete (Object.prototype as Record<string, unknown>)[name];
  return { key: 'pollution', what: `Object.prototype has ${added.join(', ')}` };
}
