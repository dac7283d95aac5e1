/**
 * Which files a file of this repository uses: what it imports, and what it names in its text (a configuration,
 * a fixture, the built program). Index files are looked through: whoever imports `nfa` from `index.js` uses
 * `nfa.ts`, not all that the index offers.
 */
import { dirname, join, normalize } from 'node:path/posix';
import ts from 'typescript';

export interface Use {
  readonly path: string;
  /** Imports are one step; what is only named is farther: the program it starts, the file it reads. */
  readonly steps: number;
}

const importSteps = 1;
const namedSteps = 3;

interface Imported {
  readonly from: string;
  /** undefined: the whole module. */
  readonly names: readonly string[] | undefined;
}

interface Parsed {
  readonly imports: readonly Imported[];
  /** Name offered to where it comes from; only of what is handed on. */
  readonly handedOn: ReadonlyMap<string, { readonly from: string; readonly name: string }>;
  readonly handsOnAllOf: readonly string[];
  readonly texts: readonly string[];
}

const isCode = (path: string) => /\.[cm]?[jt]s$/.test(path);

export class Uses {
  private readonly parsed = new Map<string, Parsed>();
  private readonly folders: ReadonlySet<string>;

  /** Paths are relative to the root of the repository, with `/`. */
  constructor(
    private readonly files: ReadonlySet<string>,
    private readonly read: (path: string) => string,
  ) {
    this.folders = new Set([...files].map((path) => dirname(path)));
  }

  /** What a file uses; a folder that it names is every file under it. */
  of(path: string): Use[] {
    if (!isCode(path)) return [];
    const { imports, texts } = this.parse(path);
    const found = new Map<string, number>();
    const add = (used: string | undefined, steps: number) => {
      if (used === undefined || used === path) return;
      found.set(used, Math.min(steps, found.get(used) ?? Infinity));
    };
    for (const { from, names } of imports) {
      const target = this.module(path, from);
      if (target === undefined) continue;
      add(target, importSteps);
      for (const name of names ?? this.allNames(target))
        add(this.origin(target, name), importSteps);
    }
    for (const text of texts) for (const used of this.named(path, text)) add(used, namedSteps);
    return [...found].map(([used, steps]) => ({ path: used, steps }));
  }

  /** The file in which a name that a module offers is written. */
  private origin(path: string, name: string, seen = new Set<string>()): string | undefined {
    if (seen.has(path) || !isCode(path)) return undefined;
    seen.add(path);
    const { handedOn, handsOnAllOf } = this.parse(path);
    const next = handedOn.get(name);
    if (next !== undefined) {
      const target = this.module(path, next.from);
      return target === undefined ? path : (this.origin(target, next.name, seen) ?? target);
    }
    for (const from of handsOnAllOf) {
      const target = this.module(path, from);
      if (target !== undefined && this.offers(target, name)) return this.origin(target, name, seen);
    }
    return path;
  }

  private offers(path: string, name: string): boolean {
    return new RegExp(`\\b${name.replace(/\$/g, '\\$')}\\b`).test(this.read(path));
  }

  private allNames(path: string): string[] {
    return isCode(path) ? [...this.parse(path).handedOn.keys()] : [];
  }

  /** `./x.js` is x.ts where there is one; what was built is what it was built from. */
  private module(importer: string, specifier: string): string | undefined {
    if (!specifier.startsWith('.')) return undefined;
    return this.source(normalize(join(dirname(importer), specifier)));
  }

  private source(path: string): string | undefined {
    const written = path.replace(/^dist\//, '');
    return [written, written.replace(/\.js$/, '.ts')].find((p) => this.files.has(p));
  }

  /** Files and folders that a text means, from the root or from where the text stands. */
  private named(path: string, text: string): string[] {
    if (text.length > 200 || /[\s*{}<>]/.test(text) || !/[/.]/.test(text)) return [];
    const trimmed = text.replace(/\/+$/, '');
    for (const candidate of [normalize(join(dirname(path), trimmed)), normalize(trimmed)]) {
      const file = this.source(candidate);
      if (file !== undefined) return [file];
      // A whole room is too much to be meant by a word, and the root by a dot.
      if (trimmed.includes('/') && this.folders.has(candidate) && candidate.includes('/'))
        return [...this.files].filter((p) => p.startsWith(`${candidate}/`));
    }
    return [];
  }

  private parse(path: string): Parsed {
    const known = this.parsed.get(path);
    if (known !== undefined) return known;
    const parsed = parse(path, this.read(path));
    this.parsed.set(path, parsed);
    return parsed;
  }
}

function parse(path: string, text: string): Parsed {
  const imports: Imported[] = [];
  const handedOn = new Map<string, { from: string; name: string }>();
  const handsOnAllOf: string[] = [];
  const texts: string[] = [];

  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
      imports.push({ from: node.moduleSpecifier.text, names: namesOf(node.importClause) });
      return;
    }
    if (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined) {
      const from = (node.moduleSpecifier as ts.StringLiteral).text;
      if (node.exportClause === undefined) handsOnAllOf.push(from);
      else if (ts.isNamedExports(node.exportClause))
        for (const { name, propertyName } of node.exportClause.elements)
          handedOn.set(name.text, { from, name: (propertyName ?? name).text });
      return;
    }
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [argument] = node.arguments;
      if (argument !== undefined && ts.isStringLiteralLike(argument))
        imports.push({ from: argument.text, names: undefined });
    }
    if (ts.isStringLiteralLike(node)) texts.push(node.text);
    // `${root}dist/src/x.js`: what follows a variable is from the root, as far as we can know.
    if (ts.isTemplateExpression(node))
      for (const { literal } of node.templateSpans)
        texts.push(...literal.text.split(/['"\s]/, 1).map((part) => part.replace(/^\//, '')));
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(path, text, ts.ScriptTarget.Latest, false));
  return { imports, handedOn, handsOnAllOf, texts };
}

function namesOf(clause: ts.ImportClause | undefined): string[] | undefined {
  if (clause === undefined) return undefined;
  const { namedBindings } = clause;
  if (namedBindings !== undefined && ts.isNamespaceImport(namedBindings)) return undefined;
  const names = (namedBindings?.elements ?? []).map((e) => (e.propertyName ?? e.name).text);
  return clause.name === undefined ? names : ['default', ...names];
}

/** How far each file is from the nearest of those that changed; those that never reach one are left out. */
export function distancesTo(
  changed: ReadonlySet<string>,
  files: Iterable<string>,
  usesOf: (path: string) => readonly Use[],
): Map<string, number> {
  const usedBy = new Map<string, Use[]>();
  for (const path of files)
    for (const use of usesOf(path)) {
      const list = usedBy.get(use.path) ?? [];
      usedBy.set(use.path, list);
      list.push({ path, steps: use.steps });
    }
  const distances = new Map([...changed].map((path) => [path, 0]));
  // Steps are few and small: buckets in order of distance, no heap needed.
  const buckets: string[][] = [[...changed]];
  for (let distance = 0; distance < buckets.length; distance++)
    for (const path of buckets[distance] ?? []) {
      if (distances.get(path) !== distance) continue;
      for (const user of usedBy.get(path) ?? []) {
        const there = distance + user.steps;
        if (there >= (distances.get(user.path) ?? Infinity)) continue;
        distances.set(user.path, there);
        (buckets[there] ??= []).push(user.path);
      }
    }
  return distances;
}
