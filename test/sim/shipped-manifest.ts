import { readFileSync } from 'node:fs';
import { parseManifest, type Manifest } from '../../src/bundle/index.js';

const shipped = JSON.parse(readFileSync('models/kikitori-en/manifest.json', 'utf8')) as Manifest;

/** The manifest that ships, read again with keys of one part set otherwise. */
export const shippedWith = (part: 'decoding' | 'confidence', changes: object): Manifest =>
  parseManifest(
    JSON.stringify({ ...shipped, [part]: { ...shipped[part], ...changes } }),
    'x',
    '9.0.0',
  );
