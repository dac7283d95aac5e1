import { agentVersion } from '../runtime/version.js';
import { Bundle, readChecked } from './bundle.js';
import { LanguageBundle, parseLanguageManifest, type LanguageManifest } from './language-bundle.js';
import { parseManifest, type Manifest } from './manifest.js';
import { kindIn, type BundleKind } from './manifest-kinds.js';

export const kindOf = (bundle: Bundle | LanguageBundle): BundleKind =>
  bundle.manifest.kind ?? 'model';

/** A bundle of whatever kind its manifest says. What is damaged counts as a model bundle, whose reader says what is wrong. */
export async function openBundle(
  path: string,
  version = agentVersion,
): Promise<Bundle | LanguageBundle> {
  const { manifest, ...read } = await readChecked<Manifest | LanguageManifest>(path, (source) =>
    kindIn(source) === 'language-model'
      ? parseLanguageManifest(source, path, version)
      : parseManifest(source, path, version),
  );
  return manifest.kind === 'language-model'
    ? LanguageBundle.of(path, { manifest, ...read })
    : Bundle.of(path, { manifest, ...read });
}
