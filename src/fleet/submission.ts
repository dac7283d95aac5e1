/** What a second publisher hands over: its own signed list and the new files in it, and no key of the owner's. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { atomicWrite } from '../runtime/atomic-write.js';
import { openBundle, readTar, sha256, writeBundle } from '../bundle/index.js';
import { KikitoriError, messageOf } from '../runtime/errors.js';
import { parseChannelFile, type ChannelFile } from '../update/index.js';
import { bundleTarget, channelTarget } from '../update/trust/index.js';
import { parseSigned, type SignedFile, type TargetJson, type TargetsJson } from './metadata.js';
import { moreOf } from './publish.js';
import type { Edit, Repository } from './repository.js';

interface Cover {
  readonly format: 1;
  readonly kind: 'kikitori-fleet-submission';
  readonly publisher: string;
}

const coverName = 'submission.json';
const listName = 'list.json';
const dayMs = 86_400_000;
const clockToleranceMs = 10 * 60_000;
/** A version this far ahead would leave the publisher few numbers to go on with. */
const versionStepMax = 1000;

/** Signs the change of a list with the publisher's keys and writes all that the owner needs to one .tar. */
export async function writeSubmission(
  repository: Repository,
  publisher: string,
  edit: Edit,
  path: string,
): Promise<{ version: number; files: number }> {
  if (!path.endsWith('.tar'))
    throw new KikitoriError(`--submit ${path}`, {
      kind: 'usage',
      expected: 'a name ending in .tar',
    });
  const change = edit.targets?.get(publisher);
  if (change === undefined || (edit.targets?.size ?? 0) > 1)
    throw new KikitoriError(`this changes more than what ${publisher} may sign`, { kind: 'usage' });
  const old = repository.state.delegated.get(publisher)?.json;
  const json: TargetsJson = {
    ...old,
    ...change,
    _type: 'targets',
    ...(await repository.common(publisher, 'targets')),
    version: publishedVersion(repository, publisher) + 1,
  };
  const list = await repository.signedByPublisher(publisher, json);
  const cover: Cover = { format: 1, kind: 'kikitori-fleet-submission', publisher };
  const files = new Map<string, Uint8Array>([
    [coverName, Buffer.from(`${JSON.stringify(cover)}\n`)],
    [listName, list.bytes],
  ]);
  for (const bytes of edit.files?.values() ?? []) files.set(sha256(bytes), bytes);
  await writeBundle(path, files);
  return { version: json.version, files: files.size - 2 };
}

export interface Accepted {
  readonly edit: Edit;
  readonly publisher: string;
  readonly version: number;
  /** Channels and bundles that are new or differ from before. */
  readonly changed: readonly string[];
}

/**
 * Reads a submission, which may come from anybody, and says what the owner's signatures would make of it.
 * Everything that can be wrong is thrown here, before anything is written.
 */
export async function planAcceptance(repository: Repository, path: string): Promise<Accepted> {
  const { cover, list, files } = await readSubmission(path);
  const { publisher } = cover;
  const bad = (what: string, hint = `nothing was accepted; ask ${publisher} to submit again`) =>
    new KikitoriError(what, { kind: 'input', where: path, hint });
  const role = repository.state.targets.json.delegations?.roles.find((r) => r.name === publisher);
  if (role === undefined)
    throw bad(
      `there is no second publisher "${publisher}"`,
      'add it with `kikitori fleet delegate add`',
    );
  // Signatures before anything that the list says.
  try {
    repository.state.targets.metadata.verifyDelegate(publisher, list.metadata);
  } catch (error) {
    throw bad(`the list is not signed as it must be: ${messageOf(error)}`);
  }
  const { json } = list;
  const fault = listFault(repository, publisher, json);
  if (fault !== undefined) throw bad(fault);
  const before = repository.targetsOf(publisher);
  const fresh = new Map<string, Uint8Array>();
  const known = new Map<string, Uint8Array>();
  for (const [target, meta] of Object.entries(json.targets)) {
    if (!pathAllowed(publisher, target))
      throw bad(`${target} is outside of what ${publisher} may sign`);
    const bytes = files.get(meta.hashes.sha256) ?? (await present(repository, target, meta));
    if (bytes === undefined) throw bad(`the file of ${target} is missing`);
    if (bytes.length !== meta.length || sha256(bytes) !== meta.hashes.sha256)
      throw bad(`the file of ${target} is not the one that was signed`);
    known.set(target, bytes);
    if (files.has(meta.hashes.sha256)) fresh.set(target, bytes);
  }
  const named = new Set(Object.values(json.targets).map((t) => t.hashes.sha256));
  for (const name of files.keys())
    if (!named.has(name)) throw bad(`it holds a file that the list does not name (${name})`);
  for (const [target, bytes] of known)
    if (isChannel(target)) checkChannelFile(repository, publisher, target, bytes, json, bad);
  await checkBundles(repository, publisher, json, fresh, bad);
  const changed = Object.keys(json.targets).filter(
    (t) => before[t]?.hashes.sha256 !== json.targets[t]?.hashes.sha256,
  );
  return {
    edit: { files: fresh, accept: { name: publisher, file: list } },
    publisher,
    version: json.version,
    changed,
  };
}

const isChannel = (target: string) => target.split('/')[1] === 'channels';

/** `<publisher>/bundles/NAME.tar` and `<publisher>/channels/NAME.json`, and no folder more. */
function pathAllowed(publisher: string, target: string): boolean {
  const [owner, kind, file = '', more] = target.split('/');
  if (owner !== publisher || more !== undefined || !/^[A-Za-z0-9][\w.-]*$/.test(file)) return false;
  return kind === 'bundles' ? file.endsWith('.tar') : kind === 'channels' && file.endsWith('.json');
}

function listFault(repository: Repository, publisher: string, json: TargetsJson) {
  const now = repository.clock.now();
  const oldVersion = publishedVersion(repository, publisher);
  const lifeMs = 2 * repository.settings.expiresDays.targets * dayMs;
  const expiresMs = Date.parse(json.expires);
  const issuedMs = Date.parse(json.issued_at);
  if (json.delegations !== undefined) return 'the list delegates further';
  if (json.version <= oldVersion)
    return `its version is ${json.version}, and ${oldVersion} is published already: it was made from an old copy, or accepted before`;
  if (json.version > oldVersion + versionStepMax)
    return `its version is ${json.version}, far beyond the published ${oldVersion}`;
  if (!(issuedMs <= now + clockToleranceMs))
    return `it is signed for the future (${json.issued_at})`;
  if (!(expiresMs > now)) return `it expired on ${json.expires}`;
  if (!(expiresMs <= now + lifeMs)) return `it would hold until ${json.expires}, too long`;
  return undefined;
}

/** Also of a list that other keys signed: boards insist that it only grows. */
function publishedVersion({ state }: Repository, publisher: string): number {
  return state.snapshot.json.meta[`${publisher}.json`]?.version ?? 0;
}

async function present(repository: Repository, target: string, { hashes }: TargetJson) {
  return repository.files.read(repository.filePath(target, hashes.sha256));
}

type Bad = (what: string) => KikitoriError;

function checkChannelFile(
  repository: Repository,
  publisher: string,
  target: string,
  bytes: Uint8Array,
  json: TargetsJson,
  bad: Bad,
): void {
  let file: ChannelFile;
  try {
    file = parseChannelFile(Buffer.from(bytes).toString('utf8'), target);
  } catch (error) {
    throw bad(messageOf(error));
  }
  const { channel, bundle } = file;
  if (channelTarget(channel) !== target) throw bad(`${target} is of the channel ${channel}`);
  if (!repository.settings.channels.includes(channel))
    throw bad(`there is no channel "${channel}": \`kikitori fleet channel add ${channel}\``);
  if (file.rollout.state === 'aborted') return;
  const offered = json.targets[bundle.path];
  if (!bundle.path.startsWith(`${publisher}/bundles/`) || offered === undefined)
    throw bad(`${channel} offers ${bundle.path}, which the list does not name`);
  if (offered.hashes.sha256 !== bundle.sha256 || offered.length !== bundle.bytes)
    throw bad(`${channel} and the list disagree about ${bundle.path}`);
}

/** New bundles are opened, as a board will; no version may stand for two contents. */
async function checkBundles(
  repository: Repository,
  publisher: string,
  { targets }: TargetsJson,
  fresh: ReadonlyMap<string, Uint8Array>,
  bad: Bad,
): Promise<void> {
  const versions = new Map<string, string>();
  for (const [target, { custom, hashes }] of Object.entries(targets)) {
    if (isChannel(target)) continue;
    const label = `${String(custom?.['name'])} ${String(custom?.['version'])}`;
    const other = versions.get(label);
    if (other !== undefined && other !== hashes.sha256) throw bad(`there are two of ${label}`);
    versions.set(label, hashes.sha256);
    if (repository.settings.revoked.includes(String(custom?.['manifestSha256'])))
      throw bad(`${label} was revoked`);
    const bytes = fresh.get(target);
    if (bytes === undefined) continue;
    const bundle = await opened(bytes).catch((error: unknown) => {
      throw bad(`${target}: ${messageOf(error)}`);
    });
    const { name, version, minAgent } = bundle.manifest;
    const { kind, languageModel } = moreOf(bundle);
    const said = { name, version, minAgent, manifestSha256: bundle.sha256, kind };
    for (const [key, value] of Object.entries(said))
      if (custom?.[key] !== value)
        throw bad(`${target}: ${key} is ${value ?? 'model'}, the list says other`);
    if (JSON.stringify(custom?.['languageModel']) !== JSON.stringify(languageModel))
      throw bad(`${target}: languageModel is other than the list says`);
    if (repository.settings.revoked.includes(bundle.sha256)) throw bad(`${label} was revoked`);
    if (bundleTarget(publisher, { name, version, sha256: hashes.sha256 }) !== target)
      throw bad(`${target} is not the name of ${label}`);
  }
}

async function opened(bytes: Uint8Array) {
  const folder = await mkdtemp(join(tmpdir(), 'kikitori-accept-'));
  try {
    const path = join(folder, 'bundle.tar');
    await atomicWrite(path, bytes);
    return await openBundle(path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function readSubmission(path: string): Promise<{
  cover: Cover;
  list: SignedFile<TargetsJson>;
  files: Map<string, Uint8Array>;
}> {
  const bad = (what: string) =>
    new KikitoriError(what, {
      kind: 'input',
      where: path,
      hint: 'expected what `kikitori fleet publish --as NAME --submit FILE.tar` writes',
    });
  const files = await readTar(path).catch((error: unknown) => {
    throw bad(messageOf(error));
  });
  const take = (name: string) => {
    const bytes = files.get(name);
    if (bytes === undefined) throw bad(`this is no submission: there is no ${name} in it`);
    files.delete(name);
    return Buffer.from(bytes);
  };
  const text = take(coverName).toString('utf8');
  const list = take(listName);
  try {
    const cover = JSON.parse(text) as Partial<Cover>;
    const { format, kind, publisher } = cover;
    if (format !== 1 || kind !== 'kikitori-fleet-submission' || typeof publisher !== 'string')
      throw new Error(`${coverName} is of another kind`);
    return {
      cover: cover as Cover,
      list: parseSigned<TargetsJson>(list, 'targets'),
      files,
    };
  } catch (error) {
    throw bad(`this is no submission: ${messageOf(error)}`);
  }
}
