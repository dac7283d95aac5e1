/** A language model and all that belongs to it: manifest, file of `kikitori lm`, card with texts and licences. */
import { agentVersion } from '../runtime/version.js';
import { fileOf, readChecked, type CheckedFiles } from './bundle.js';
import { fileEntries, list, record, semver, text, type Check } from './checks.js';
import { parseAs } from './manifest-kinds.js';
import type { FileEntry } from './packed.js';

export interface LanguageManifest {
  readonly format: 1;
  readonly kind: 'language-model';
  readonly name: string;
  readonly version: string;
  readonly minAgent: string;
  /** BCP 47, like "en". */
  readonly language: string;
  readonly licence: string;
  /** What it was made of: {name, from, licence, notice}. */
  readonly texts: readonly Readonly<Record<string, unknown>>[];
  readonly files: Readonly<Record<string, FileEntry>>;
  /** Sentences that it must foretell neither worse nor better than so: among so many words it would be as unsure. */
  readonly selftest: {
    readonly sentences: readonly string[];
    readonly perplexity: { readonly min: number; readonly max: number };
  };
  readonly measured: Readonly<Record<string, unknown>>;
}

/** The file of `kikitori lm` in it. */
export const languageModelName = 'model.lm';

/** The self-test of a board may take its time, but not for a whole text. */
export const selftestSentencesMax = 200;
const sentenceMax = 1000;

const sentences: Check = (v) =>
  Array.isArray(v) &&
  v.length >= 1 &&
  v.length <= selftestSentencesMax &&
  v.every((s) => typeof s === 'string' && s.trim() !== '' && s.length <= sentenceMax)
    ? undefined
    : `1 to ${selftestSentencesMax} sentences of at most ${sentenceMax} characters`;
const perplexity: Check = (v) => {
  const { min, max } = (v ?? {}) as { min?: unknown; max?: unknown };
  return typeof min === 'number' && typeof max === 'number' && min >= 1 && max >= min && max < 1e9
    ? undefined
    : '{"min": from 1, "max": not below min}';
};

export const languageManifestFields: Readonly<Record<string, Check>> = {
  name: text,
  version: semver,
  minAgent: semver,
  language: text,
  licence: text,
  texts: list,
  files: fileEntries,
  'selftest.sentences': sentences,
  'selftest.perplexity': perplexity,
  measured: record,
};

export const parseLanguageManifest = (source: string, where: string, version: string) =>
  parseAs<LanguageManifest>(
    source,
    { where, agentVersion: version },
    'language-model',
    languageManifestFields,
    ({ files }) =>
      files[languageModelName] === undefined ? [`files: "${languageModelName}" missing`] : [],
  );

/** Checked like a model bundle: nothing of an unchecked file is handed out. */
export class LanguageBundle {
  private constructor(
    readonly path: string,
    readonly manifest: LanguageManifest,
    /** SHA-256 of manifest.json, which names the SHA-256 of everything else: the bundle's identity. */
    readonly sha256: string,
    private readonly files: ReadonlyMap<string, Uint8Array>,
  ) {}

  static async open(path: string, version = agentVersion): Promise<LanguageBundle> {
    const parse = (source: string) => parseLanguageManifest(source, path, version);
    return LanguageBundle.of(path, await readChecked(path, parse));
  }

  static of(
    path: string,
    { manifest, sha256, files }: CheckedFiles<LanguageManifest>,
  ): LanguageBundle {
    return new LanguageBundle(path, manifest, sha256, files);
  }

  file(name: string): Uint8Array {
    return fileOf(this, this.files, name);
  }
}
