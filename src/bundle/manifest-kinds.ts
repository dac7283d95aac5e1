/** What manifests of all kinds of bundles have in common, and how they are told apart. */
import { KikitoriError, messageOf } from '../runtime/errors.js';
import { at, shownAs, type Check } from './checks.js';

/** What a bundle is: a network that hears, or how likely words are behind others. Absent in a manifest: 'model'. */
export type BundleKind = 'model' | 'language-model';

export const isBundleKind = (value: unknown): value is BundleKind =>
  value === 'model' || value === 'language-model';

export const nameOfKind: Readonly<Record<BundleKind, string>> = {
  model: 'a model bundle',
  'language-model': 'a language model',
};

/** A language model by name, at least as new. */
export interface WantedLanguageModel {
  readonly name: string;
  readonly minVersion: string;
}

/** a >= b for versions like 1.2.3. */
export function atLeast(a: string, b: string): boolean {
  const parts = (v: string) => v.split('-')[0]?.split('.').map(Number) ?? [];
  const [x, y] = [parts(a), parts(b)];
  for (let i = 0; i < 3; i++) {
    if ((x[i] ?? 0) !== (y[i] ?? 0)) return (x[i] ?? 0) > (y[i] ?? 0);
  }
  return true;
}

/** Of a manifest.json, whatever else is wrong with it; undefined: of no kind that this agent knows. */
export function kindIn(source: string): BundleKind | undefined {
  try {
    const kind = at(JSON.parse(source), 'kind') ?? 'model';
    return isBundleKind(kind) ? kind : undefined;
  } catch {
    return undefined;
  }
}

/** Reads a manifest.json of one kind. All faults at once, each with the field's path, what it is and what it should be. */
export function parseAs<M extends { readonly minAgent: string }>(
  source: string,
  { where, agentVersion }: { readonly where: string; readonly agentVersion: string },
  wanted: BundleKind,
  fields: Readonly<Record<string, Check>>,
  contradictions: (manifest: M) => readonly string[],
): M {
  const bad = (what: string, more: { expected?: string; hint?: string } = {}) =>
    new KikitoriError(what, { kind: 'bundle', where, ...more });
  let value: unknown;
  try {
    value = JSON.parse(source);
  } catch (error) {
    throw bad(`manifest.json is not JSON: ${messageOf(error)}`, {
      hint: 'the bundle is damaged: fetch it again',
    });
  }
  const format = at(value, 'format');
  if (format !== 1) {
    throw bad(`format is ${shownAs(format)}`, {
      expected: 'format 1',
      hint:
        typeof format === 'number' && format > 1
          ? 'this bundle is newer than the agent: update kikitori'
          : 'this is no kikitori bundle',
    });
  }
  const kind = at(value, 'kind') ?? 'model';
  if (kind !== wanted) {
    throw bad(isBundleKind(kind) ? `it is ${nameOfKind[kind]}` : `kind is ${shownAs(kind)}`, {
      expected: nameOfKind[wanted],
      ...(isBundleKind(kind) ? {} : { hint: 'it may be newer than the agent: update kikitori' }),
    });
  }
  const faults: string[] = [];
  for (const [path, check] of Object.entries(fields)) {
    const got = at(value, path);
    const expected = check(got);
    if (expected !== undefined) faults.push(`${path}: ${shownAs(got)}, expected ${expected}`);
  }
  if (faults.length === 0) faults.push(...contradictions(value as M));
  if (faults.length > 0)
    throw bad(`manifest.json has ${faults.length} fault(s): ${faults.join('; ')}`);
  const manifest = value as M;
  if (!atLeast(agentVersion, manifest.minAgent)) {
    throw bad(`minAgent is ${manifest.minAgent} and this is kikitori ${agentVersion}`, {
      hint: 'update kikitori, or use an older bundle',
    });
  }
  return manifest;
}
