/** Language models as bundles, made by the commands that make real ones. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LanguageBundle, sha256, writeBundle } from '../../src/bundle/index.js';
import { main } from '../../src/cli/main.js';

export interface LanguageSim {
  readonly version: string;
  readonly name?: string;
  /** What it is made of, and by default what it must foretell: a sentence a line. */
  readonly text: string;
  /** Changes the manifest afterwards: what somebody signed who did not look. */
  readonly manifest?: (manifest: Record<string, unknown>) => Record<string, unknown>;
  /** The same of the model's file, whose digest is then right again. */
  readonly model?: (file: Uint8Array) => Uint8Array;
}

async function kikitori(...argv: string[]): Promise<void> {
  const said: string[] = [];
  const write = (text: string) => void said.push(text);
  const status = await main(argv, { stdout: { write }, stderr: { write }, env: {} });
  if (status !== 0) throw new Error(`kikitori ${argv.join(' ')}: ${said.join('')}`);
}

/** A file of `kikitori lm` of these sentences, one a line; its text lies beside it. Returns its path. */
export async function languageFile(folder: string, name: string, text: string): Promise<string> {
  const [source, out] = [join(folder, `${name}.txt`), join(folder, `${name}.lm`)];
  await writeFile(source, text);
  await kikitori('lm', 'build', source, '--out', out);
  return out;
}

/** A .tar in this folder; returns its path. */
export async function languageTar(folder: string, o: LanguageSim): Promise<string> {
  const { name = 'site', version } = o;
  const at = (suffix: string) => join(folder, `${name}-${version}${suffix}`);
  await mkdir(folder, { recursive: true });
  await writeFile(
    at('.json'),
    JSON.stringify({
      ...{ name, version, language: 'en', licence: 'CC0' },
      texts: [{ name: 'what a test says', from: 'this test', licence: 'CC0' }],
    }),
  );
  await languageFile(folder, `${name}-${version}`, o.text);
  const card = ['--card', at('.json'), '--selftest', at('.txt')];
  await kikitori('lm', 'pack', at('.lm'), ...card, '--out', at('.tar'));
  if (o.manifest !== undefined || o.model !== undefined) await rewritten(at('.tar'), o);
  return at('.tar');
}

async function rewritten(path: string, { manifest = (m) => m, model }: LanguageSim): Promise<void> {
  const bundle = await LanguageBundle.open(path);
  const files = new Map(
    Object.keys(bundle.manifest.files).map((name) => [name, bundle.file(name)] as const),
  );
  const other = model?.(bundle.file('model.lm'));
  if (other !== undefined) files.set('model.lm', other);
  const said = Object.fromEntries(
    [...files].map(([name, bytes]) => [name, { sha256: sha256(bytes), bytes: bytes.length }]),
  );
  const source = JSON.stringify(manifest({ ...bundle.manifest, files: said }));
  await writeBundle(path, new Map([['manifest.json', Buffer.from(source)], ...files]));
}
