// What is in a package, in CycloneDX: what npm says of the lock file (npm sbom), held against the folders that are
// shipped, with the Node and the model that come with them. Fails when something is shipped that it does not name.
//   node scripts/lib/sbom.js PROGRAM NPM_SBOM NODE_VERSION ARCH VERSION >kikitori.cdx.json
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const [program, npmSbom, nodeVersion, arch, version] = process.argv.slice(2);
const json = (path) => JSON.parse(readFileSync(path, 'utf8'));
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** name@version of every package under node_modules, at any depth. */
function shipped(modules) {
  const found = new Set();
  const entries = readdirSync(modules, { recursive: true }).map(String);
  for (const path of entries.filter((one) => /(^|\/)package\.json$/.test(one))) {
    const folder = path.slice(0, -'/package.json'.length);
    // Only a package itself: NAME or @SCOPE/NAME, in whichever node_modules.
    if (!/^(.*\/node_modules\/)?(@[^/]+\/)?[^/@]+$/.test(folder)) continue;
    const { name, version: of } = json(join(modules, path));
    if (name !== undefined && of !== undefined) found.add(`${name}@${of}`);
  }
  return found;
}

const bom = json(npmSbom);
const inside = shipped(join(program, 'node_modules'));
const packages = bom.components.filter((one) => inside.has(`${one.name}@${one.version}`));
const named = new Set(packages.map((one) => `${one.name}@${one.version}`));
const missing = [...inside].filter((one) => !named.has(one));
if (missing.length > 0) {
  process.stderr.write(
    `sbom: shipped, and not in what npm says of the lock file: ${missing.join(', ')}\n`,
  );
  process.exit(1);
}

const manifest = readFileSync(join(program, 'models/kikitori-en/manifest.json'));
const model = JSON.parse(manifest);
const own = [
  {
    'bom-ref': `node@${nodeVersion}`,
    type: 'platform',
    name: 'node',
    version: nodeVersion,
    purl: `pkg:npm/node-linux-${arch === 'amd64' ? 'x64' : arch}@${nodeVersion}`,
    cpe: `cpe:2.3:a:nodejs:node.js:${nodeVersion}:*:*:*:*:*:*:*`,
    hashes: [{ alg: 'SHA-256', content: sha256(readFileSync(join(program, 'bin/node'))) }],
    licenses: [{ license: { id: 'MIT' } }],
  },
  {
    'bom-ref': `${model.name}@${model.version}`,
    type: 'machine-learning-model',
    name: model.name,
    version: model.version,
    // Of manifest.json, which names the hashes of all the rest.
    hashes: [{ alg: 'SHA-256', content: sha256(manifest) }],
  },
];
const ref = `kikitori@${version}`;
const root = {
  'bom-ref': ref,
  type: 'application',
  name: 'kikitori',
  version,
  purl: `pkg:deb/kikitori@${version}?arch=${arch}`,
  licenses: [{ license: { id: 'Apache-2.0' } }],
};
const refs = new Set([...packages, ...own].map((one) => one['bom-ref']));
const before = bom.metadata.component['bom-ref'];
const dependencies = bom.dependencies
  .filter((one) => one.ref === before || refs.has(one.ref))
  .map((one) => ({
    ref: one.ref === before ? ref : one.ref,
    dependsOn: [
      ...(one.dependsOn ?? []).filter((to) => refs.has(to)),
      ...(one.ref === before ? own.map((it) => it['bom-ref']) : []),
    ],
  }));
const components = [...packages, ...own];
const body = JSON.stringify([root, components, dependencies]);
// A name of its own that comes from what is inside: the same package says the same.
const digits = sha256(body);
const uuid = [
  digits.slice(0, 8),
  digits.slice(8, 12),
  `5${digits.slice(13, 16)}`,
  `8${digits.slice(17, 20)}`,
  digits.slice(20, 32),
];
const out = {
  $schema: bom.$schema,
  bomFormat: bom.bomFormat,
  specVersion: bom.specVersion,
  serialNumber: `urn:uuid:${uuid.join('-')}`,
  version: 1,
  metadata: {
    timestamp: new Date(1000 * Number(process.env.SOURCE_DATE_EPOCH)).toISOString(),
    component: root,
  },
  components,
  dependencies,
};
process.stdout.write(`${JSON.stringify(out, null, 1)}\n`);
