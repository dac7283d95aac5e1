import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** Twice the size of the drawing, for screens of today. */
const scale = 2;

/**
 * A drawing as PNG, with letters of a font that comes as a package: a bare machine has none. Undefined
 * where these packages, which a device does not need, are not installed.
 */
export async function png(svg: string): Promise<Uint8Array | undefined> {
  let Resvg;
  let fonts: string;
  try {
    ({ Resvg } = await import('@resvg/resvg-js'));
    const package_ = createRequire(import.meta.url).resolve('dejavu-fonts-ttf/package.json');
    fonts = join(dirname(package_), 'ttf');
  } catch {
    return undefined;
  }
  const drawing = new Resvg(svg, {
    fitTo: { mode: 'zoom', value: scale },
    font: {
      loadSystemFonts: false,
      fontFiles: [join(fonts, 'DejaVuSans.ttf')],
      defaultFontFamily: 'DejaVu Sans',
      sansSerifFamily: 'DejaVu Sans',
    },
  });
  return drawing.render().asPng();
}
