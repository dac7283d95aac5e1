/**
 * docs/demo.svg from a real run: what scripts/demo printed in, a drawn terminal out.
 *
 *   scripts/demo > run.txt; node dist/scripts/picture.js run.txt docs/demo.svg [docs/demo.png]
 *
 * Each sentence of the run is drawn: what was said, what a subscriber got, how sure, how late. What was
 * heard is shown only where it is something else than what was said, so that the picture fits on a page.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { pictureOf } from './lib/terminal-picture.js';

async function main(): Promise<void> {
  const [run, svgPath, pngPath] = process.argv.slice(2);
  if (run === undefined || svgPath === undefined)
    throw new Error('usage: picture RUN.txt OUT.svg [OUT.png]');
  const svg = pictureOf(await readFile(run, 'utf8'));
  await writeFile(svgPath, svg);
  if (pngPath === undefined) return;
  const { Resvg } = await import('@resvg/resvg-js');
  const font = { loadSystemFonts: true, defaultFontFamily: 'DejaVu Sans Mono' };
  const fontFiles = ['node_modules/dejavu-fonts-ttf/ttf/DejaVuSansMono.ttf'];
  await writeFile(pngPath, new Resvg(svg, { font: { ...font, fontFiles } }).render().asPng());
}

await main();
