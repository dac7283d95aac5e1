import type { PlotOptions } from '@observablehq/plot';

type Library = typeof import('@observablehq/plot');

export const shareOf = (v: number) => `${Math.round(100 * v)} %`;

/**
 * A chart as SVG text: no scripts, readable in a browser and in Markdown. Undefined where the packages that draw,
 * which a device does not need, are not installed.
 */
export async function drawing(
  title: string,
  options: (plot: Library) => PlotOptions,
): Promise<string | undefined> {
  let plot: Library;
  let document: unknown;
  try {
    plot = await import('@observablehq/plot');
    const { parseHTML } = await import('linkedom');
    document = (parseHTML('<html><body></body></html>') as { document: unknown }).document;
  } catch {
    return undefined;
  }
  const { marks = [], ...rest } = options(plot);
  const svg = plot.plot({
    document: document as never,
    marginTop: 48,
    marginLeft: 56,
    marginBottom: 44,
    style: { fontFamily: 'sans-serif', fontSize: '12px', background: '#fff', color: '#222' },
    ...rest,
    marks: [
      plot.text([title], { frameAnchor: 'top-left', dy: -30, fontSize: 14, fontWeight: 'bold' }),
      ...marks,
    ],
  }) as unknown as { setAttribute(name: string, value: string): void; readonly outerHTML: string };
  svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  return `${svg.outerHTML}\n`;
}
