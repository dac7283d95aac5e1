/** The files that a browser loads; a fixed list, read once. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { extname, join } from 'node:path';
import { pagePath } from '../../runtime/paths.js';

export interface StaticFile {
  readonly type: string;
  readonly bytes: Buffer;
}

const own = [
  'index.html',
  'page.css',
  'icon.svg',
  'page.js',
  'connection.js',
  'words.js',
  'live.js',
  'try.js',
  'sentences.js',
  'device.js',
];
/** lit-html: templates whose values are always text. */
const library = ['lit-html.js', 'directive.js', 'directive-helpers.js', 'directives/repeat.js'];

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

export async function readFiles(): Promise<ReadonlyMap<string, StaticFile>> {
  const lit = libraryFolder();
  const places: (readonly [string, string])[] = [
    ...own.map((name) => [`/${name}`, join(pagePath, name)] as const),
    ...library.map((name) => [`/lit/${name}`, join(lit, name)] as const),
  ];
  const files = await Promise.all(
    places.map(async ([url, path]) => {
      const file = { type: types[extname(path)] ?? '', bytes: await readFile(path) };
      return [url, file] as const;
    }),
  );
  const all = new Map<string, StaticFile>(files);
  const index = all.get('/index.html');
  if (index !== undefined) all.set('/', index);
  return all;
}

/** For Node the package names another build than for browsers, so its folder is cut out of what it names. */
function libraryFolder(): string {
  const name = createRequire(import.meta.url).resolve('lit-html');
  return name.slice(
    0,
    name.lastIndexOf('lit-html', name.lastIndexOf('lit-html') - 1) + 'lit-html'.length,
  );
}
