/**
 * The disk under the real code, watched: every operation in one folder is done for real and written down. From that
 * come the folders that a loss of power after the nth operation may leave: what was not synced is there, or not, or
 * by half, or only its length.
 */
import { createHash } from 'node:crypto';
import fs, { type FileHandle } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { basename, dirname, join, relative, resolve } from 'node:path';

interface FileNode {
  readonly kind: 'file';
  size: number;
}
interface FolderNode {
  readonly kind: 'folder';
  readonly entries: Map<string, Node>;
}
type Node = FileNode | FolderNode;

/** What changes a folder; durable when that folder was synced. */
type Entry =
  | {
      readonly op: 'entry';
      readonly folder: FolderNode;
      readonly name: string;
      readonly node: Node;
    }
  | { readonly op: 'remove'; readonly folder: FolderNode; readonly name: string }
  | {
      readonly op: 'rename';
      readonly from: FolderNode;
      readonly fromName: string;
      readonly folder: FolderNode;
      readonly name: string;
      readonly node: Node;
    };
/** What changes a file; durable when that file was synced. */
type Data =
  | { readonly op: 'write'; readonly file: FileNode; readonly at: number; readonly bytes: Buffer }
  | { readonly op: 'truncate'; readonly file: FileNode; readonly size: number };
type Operation = Entry | Data | { readonly op: 'sync'; readonly node: Node };

/** What becomes of changed folders: all of it, nothing that was not synced, or the beginning of it, as a journal has it. */
export const entryFates = ['all', 'synced', 'some'] as const;
/** What becomes of bytes: all; none that were not synced; the last by half; zeros in their place; any of them. */
export const dataFates = ['all', 'synced', 'torn', 'zeros', 'any'] as const;
export interface Fate {
  readonly entries: (typeof entryFates)[number];
  readonly data: (typeof dataFates)[number];
}

export class DiskTrace {
  readonly operations: Operation[] = [];
  private readonly root: FolderNode = { kind: 'folder', entries: new Map() };
  private readonly first = new Map<FileNode, Buffer>();
  private readonly originals = { ...fs };

  /** What cannot be synced for now. */
  failing: Node['kind'] | null = null;

  private constructor(private readonly path: string) {}

  /** What is there already is taken for durable. Only the calls that the code uses are known: another one throws. */
  static async of<T>(path: string, action: (trace: DiskTrace) => Promise<T>): Promise<DiskTrace> {
    const trace = new DiskTrace(resolve(path));
    await trace.read(trace.root, trace.path);
    trace.watch();
    try {
      await action(trace);
    } finally {
      Object.assign(fs, trace.originals);
      syncBuiltinESMExports();
    }
    return trace;
  }

  /** How many operations are done: from here on a loss of power may come. */
  get now(): number {
    return this.operations.length;
  }

  /** Each different folder that a loss of power after `n` operations may leave, one after the other at `target`. */
  async *after(
    n: number,
    target: string,
    random: () => number,
  ): AsyncGenerator<{ readonly fate: string }> {
    const seen = new Set<string>();
    for (const entries of entryFates)
      for (const data of dataFates) {
        const tree = this.survivors(n, entries, random);
        const files = new Map<FileNode, Buffer>();
        for (const file of filesIn(tree)) files.set(file, this.bytesOf(file, n, data, random));
        const key = JSON.stringify(listing(tree, files));
        if (seen.has(key)) continue;
        seen.add(key);
        await fs.rm(target, { recursive: true, force: true });
        await write(tree, files, target);
        yield { fate: `after ${this.told(n)}, entries: ${entries}, bytes: ${data}` };
      }
  }

  private told(n: number): string {
    const last = this.operations[n - 1];
    const what = last === undefined ? 'nothing' : last.op;
    const name = last !== undefined && 'name' in last ? ` ${last.name}` : '';
    return `operation ${n} of ${this.now} (${what}${name})`;
  }

  // What survives

  private survivors(
    n: number,
    fate: Fate['entries'],
    random: () => number,
  ): Map<FolderNode, Map<string, Node>> {
    const folders = new Map<FolderNode, Map<string, Node>>();
    const of = (folder: FolderNode) => {
      const known = folders.get(folder) ?? new Map(this.firstEntries.get(folder) ?? []);
      folders.set(folder, known);
      return known;
    };
    of(this.root);
    const done = this.operations.slice(0, n);
    const changes = done.flatMap((operation, i) =>
      'folder' in operation ? [{ operation, i }] : [],
    );
    const isSynced = ({ operation, i }: { operation: Entry; i: number }) =>
      done.slice(i).some((later) => later.op === 'sync' && later.node === operation.folder);
    const lastSynced = changes.reduce((last, change, k) => (isSynced(change) ? k : last), -1);
    const upTo = lastSynced + 1 + Math.floor((changes.length - lastSynced) * random());
    changes.forEach((change, k) => {
      const { operation } = change;
      if (fate === 'synced' && !isSynced(change)) return;
      if (fate === 'some' && k >= upTo) return;
      if (
        operation.op === 'rename' &&
        of(operation.from).get(operation.fromName) === operation.node
      )
        of(operation.from).delete(operation.fromName);
      if (operation.op === 'remove') of(operation.folder).delete(operation.name);
      else of(operation.folder).set(operation.name, operation.node);
    });
    return reachable(this.root, of);
  }

  private bytesOf(file: FileNode, n: number, fate: Fate['data'], random: () => number): Buffer {
    const done = this.operations.slice(0, n);
    const lastSync = done.reduce((at, o, i) => (o.op === 'sync' && o.node === file ? i : at), -1);
    const mine = done.flatMap((o, i) => ('file' in o && o.file === file ? [{ ...o, i }] : []));
    const open = mine.filter(({ i }) => i > lastSync);
    let bytes = this.first.get(file) ?? Buffer.alloc(0);
    for (const change of mine) {
      const isOpen = change.i > lastSync;
      if (isOpen && fate === 'synced') continue;
      if (isOpen && fate === 'any' && random() < 0.5) continue;
      if (change.op === 'truncate') bytes = resized(bytes, change.size);
      else if (isOpen && fate === 'zeros')
        bytes = put(bytes, change.at, Buffer.alloc(change.bytes.length));
      else if (fate === 'torn' && change === open.at(-1))
        bytes = put(bytes, change.at, change.bytes.subarray(0, change.bytes.length >> 1));
      else bytes = put(bytes, change.at, change.bytes);
    }
    return bytes;
  }

  // What is done

  private readonly firstEntries = new Map<FolderNode, Map<string, Node>>();

  private async read(folder: FolderNode, path: string): Promise<void> {
    for (const found of await fs.readdir(path, { withFileTypes: true })) {
      const below = join(path, found.name);
      if (found.isDirectory()) {
        const node: FolderNode = { kind: 'folder', entries: new Map() };
        folder.entries.set(found.name, node);
        await this.read(node, below);
      } else {
        const bytes = await fs.readFile(below);
        const node: FileNode = { kind: 'file', size: bytes.length };
        this.first.set(node, bytes);
        folder.entries.set(found.name, node);
      }
    }
    this.firstEntries.set(folder, new Map(folder.entries));
  }

  private mine(path: unknown): path is string {
    return typeof path === 'string' && !relative(this.path, resolve(path)).startsWith('..');
  }

  private node(path: string): Node | undefined {
    const names = relative(this.path, resolve(path))
      .split('/')
      .filter((name) => name !== '');
    let node: Node | undefined = this.root;
    for (const name of names) node = node?.kind === 'folder' ? node.entries.get(name) : undefined;
    return node;
  }

  private folderOf(path: string): FolderNode {
    const folder = this.node(dirname(resolve(path)));
    if (folder?.kind !== 'folder') throw new Error(`no folder for ${path}`);
    return folder;
  }

  private enter(path: string, node: Node): void {
    const folder = this.folderOf(path);
    const name = basename(path);
    folder.entries.set(name, node);
    this.operations.push({ op: 'entry', folder, name, node });
  }

  private watch(): void {
    const { originals } = this;
    const known = {
      open: async (path: string, flags = 'r', mode?: number): Promise<FileHandle> => {
        const handle = await originals.open(path, flags, mode);
        return this.mine(path) ? this.opened(handle, path, flags) : handle;
      },
      rename: async (from: string, to: string): Promise<void> => {
        await originals.rename(from, to);
        if (!this.mine(to)) return;
        const node = this.node(from);
        if (node === undefined) throw new Error(`${from} came from outside`);
        const [source, fromName] = [this.folderOf(from), basename(from)];
        const [folder, name] = [this.folderOf(to), basename(to)];
        source.entries.delete(fromName);
        folder.entries.set(name, node);
        this.operations.push({ op: 'rename', from: source, fromName, folder, name, node });
      },
      link: async (from: string, to: string): Promise<void> => {
        await originals.link(from, to);
        const node = this.node(from);
        if (this.mine(to) && node !== undefined) this.enter(to, node);
      },
      rm: async (path: string, options?: Parameters<typeof fs.rm>[1]): Promise<void> => {
        await originals.rm(path, options);
        if (!this.mine(path) || this.node(path) === undefined) return;
        const [folder, name] = [this.folderOf(path), basename(path)];
        folder.entries.delete(name);
        this.operations.push({ op: 'remove', folder, name });
      },
      mkdir: async (path: string, options?: Parameters<typeof fs.mkdir>[1]) => {
        const first = await originals.mkdir(path, options);
        if (this.mine(path)) this.made(path);
        return first;
      },
    };
    const unknown = ['writeFile', 'appendFile', 'copyFile', 'unlink', 'truncate', 'symlink', 'cp'];
    const others = unknown.map((name) => [
      name,
      (path: unknown, ...rest: unknown[]) => {
        if (this.mine(path)) throw new Error(`${name} is not known to this disk`);
        const original = originals[name as 'writeFile'] as (...all: unknown[]) => unknown;
        return original(path, ...rest);
      },
    ]);
    Object.assign(fs, known, Object.fromEntries(others));
    syncBuiltinESMExports();
  }

  private mayFail({ kind }: Node): void {
    if (this.failing !== kind) return;
    throw Object.assign(new Error(`EIO: i/o error, fsync of a ${kind}`), { code: 'EIO' });
  }

  private made(path: string): void {
    if (this.node(path) !== undefined) return;
    this.made(dirname(resolve(path)));
    this.enter(path, { kind: 'folder', entries: new Map() });
  }

  private opened(handle: FileHandle, path: string, flags: string): FileHandle {
    let node = this.node(path);
    if (node === undefined) {
      node = { kind: 'file', size: 0 };
      this.enter(path, node);
    } else if (flags.startsWith('w') && node.kind === 'file') this.resize(node, 0);
    const found = node;
    let position = 0;
    const known: Record<string, (...all: never[]) => unknown> = {
      sync: async () => {
        this.mayFail(found);
        await handle.sync();
        this.operations.push({ op: 'sync', node: found });
      },
      datasync: async () => {
        this.mayFail(found);
        await handle.datasync();
        this.operations.push({ op: 'sync', node: found });
      },
      close: () => handle.close(),
      stat: () => handle.stat(),
      read: (...all: Parameters<FileHandle['read']>) => handle.read(...all),
    };
    if (found.kind === 'file') {
      const wrote = (at: number, bytes: Buffer) => {
        this.operations.push({ op: 'write', file: found, at, bytes: Buffer.from(bytes) });
        found.size = Math.max(found.size, at + bytes.length);
      };
      Object.assign(known, {
        write: async (data: Buffer, offset: number, length: number, at: number) => {
          const result = await handle.write(data, offset, length, at);
          wrote(at, data.subarray(offset, offset + result.bytesWritten));
          return result;
        },
        writeFile: async (data: string | Uint8Array) => {
          await handle.writeFile(data);
          const bytes = Buffer.from(data);
          wrote(position, bytes);
          position += bytes.length;
        },
        appendFile: async (data: string | Uint8Array) => {
          await handle.appendFile(data);
          wrote(found.size, Buffer.from(data));
        },
        truncate: async (size: number) => {
          await handle.truncate(size);
          if (size !== found.size) this.resize(found, size);
        },
      });
    }
    return new Proxy(handle, {
      get: (_, name) => {
        const method = known[String(name)];
        if (method === undefined && name !== 'then')
          throw new Error(`${String(name)} of a file is not known to this disk`);
        return method;
      },
    });
  }

  private resize(file: FileNode, size: number): void {
    file.size = size;
    this.operations.push({ op: 'truncate', file, size });
  }
}

type Tree = Map<FolderNode, Map<string, Node>>;

function reachable(root: FolderNode, of: (folder: FolderNode) => Map<string, Node>): Tree {
  const tree: Tree = new Map();
  const visit = (folder: FolderNode) => {
    const entries = of(folder);
    tree.set(folder, entries);
    for (const node of entries.values()) if (node.kind === 'folder') visit(node);
  };
  visit(root);
  return tree;
}

const filesIn = (tree: Tree) =>
  [...tree.values()].flatMap((entries) =>
    [...entries.values()].filter((node): node is FileNode => node.kind === 'file'),
  );

const rootOf = (tree: Tree) => [...tree.keys()][0];

function listing(tree: Tree, files: ReadonlyMap<FileNode, Buffer>, folder = rootOf(tree)): unknown {
  const entries = folder === undefined ? undefined : tree.get(folder);
  return [...(entries ?? [])]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, node]) => [
      name,
      node.kind === 'file' ? digest(files.get(node)) : listing(tree, files, node),
    ]);
}

const digest = (bytes?: Buffer) =>
  createHash('sha1')
    .update(bytes ?? '')
    .digest('hex');

async function write(
  tree: Tree,
  files: ReadonlyMap<FileNode, Buffer>,
  path: string,
  folder = rootOf(tree),
): Promise<void> {
  await fs.mkdir(path);
  const entries = folder === undefined ? undefined : tree.get(folder);
  for (const [name, node] of entries ?? [])
    if (node.kind === 'folder') await write(tree, files, join(path, name), node);
    else await fs.writeFile(join(path, name), files.get(node) ?? Buffer.alloc(0));
}

function resized(bytes: Buffer, size: number): Buffer {
  const next = Buffer.alloc(size);
  bytes.copy(next, 0, 0, Math.min(bytes.length, size));
  return next;
}

function put(bytes: Buffer, at: number, more: Buffer): Buffer {
  const next = resized(bytes, Math.max(bytes.length, at + more.length));
  more.copy(next, at);
  return next;
}
