import { KikitoriError } from '../../src/runtime/errors.js';

/** What is said of a bundle that is refused; capitals where it is not, or not clearly. */
export async function bundleFaultOf(action: Promise<unknown>): Promise<string> {
  try {
    await action;
  } catch (error) {
    if (error instanceof KikitoriError && error.kind === 'bundle') return error.message;
    return `NO CLEAR ERROR: ${String(error)}`;
  }
  return 'NO ERROR';
}
