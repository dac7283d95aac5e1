import { agentVersion } from '../runtime/version.js';
import { Bundle, readManifest } from './bundle.js';
import { LanguageBundle } from './language-bundle.js';
import { kindIn, type BundleKind } from './manifest-kinds.js';

export const kindOf = (bundle: Bundle | LanguageBundle): BundleKind =>
  bundle.manifest.kind ?? 'model';

/** Of a folder or a .tar; what is damaged counts as a model bundle, whose reader says what is wrong. */
export async function kindAt(path: string): Promise<BundleKind> {
  return kindIn(await readManifest(path)) ?? 'model';
}

/** A bundle of whatever kind its manifest says. */
export async function openBundle(
  path: string,
  version = agentVersion,
): Promise<Bundle | LanguageBundle> {
  return (await kindAt(path)) === 'model'
    ? Bundle.open(path, version)
    : LanguageBundle.open(path, version);
}
