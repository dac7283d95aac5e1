/** One small chart as SVG text: lines or points over a logarithmic x axis. */
export interface Series {
  readonly name: string;
  readonly points: readonly { readonly x: number; readonly y: number; readonly label?: string }[];
  /** Points only. */
  readonly scatter?: boolean;
}

export interface Plot {
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly xTicks: readonly number[];
  readonly yMax: number;
  readonly series: readonly Series[];
  /** A horizontal line, such as the dense network's rate. */
  readonly level?: { readonly y: number; readonly name: string };
}

const [width, height, left, top, right, bottom] = [740, 440, 64, 48, 200, 56];
const colours = ['#2a6fbb', '#c0392b', '#27865a', '#8e44ad', '#b9770e', '#117a8b'];

const escaped = (text: string) =>
  text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');

export function plotSvg({ title, x, y, xTicks, yMax, series, level }: Plot): string {
  const reach = [...xTicks, ...series.flatMap((s) => s.points.map((p) => p.x))];
  const [low, high] = [Math.log(Math.min(...reach)), Math.log(Math.max(...reach))];
  const px = (v: number) =>
    left + ((width - left - right) * (Math.log(v) - low)) / (high - low || 1);
  const py = (v: number) => height - bottom - ((height - top - bottom) * Math.min(v, yMax)) / yMax;
  const text = (tx: number, ty: number, anchor: string, content: string, more = '') =>
    `<text x="${tx.toFixed(1)}" y="${ty.toFixed(1)}" text-anchor="${anchor}"${more}>${escaped(content)}</text>`;
  const parts: string[] = [];
  for (const v of xTicks) {
    parts.push(`<path d="M${px(v).toFixed(1)} ${top}V${height - bottom}" stroke="#ddd"/>`);
    parts.push(text(px(v), height - bottom + 18, 'middle', `${v}x`));
  }
  for (let i = 0; i <= 5; i++) {
    const v = (yMax * i) / 5;
    parts.push(`<path d="M${left} ${py(v).toFixed(1)}H${width - right}" stroke="#ddd"/>`);
    parts.push(text(left - 8, py(v) + 4, 'end', `${(100 * v).toFixed(0)} %`));
  }
  if (level !== undefined) {
    parts.push(
      `<path d="M${left} ${py(level.y).toFixed(1)}H${width - right}" stroke="#222" stroke-dasharray="5 4"/>`,
    );
    parts.push(text(width - right + 8, py(level.y) + 4, 'start', level.name));
  }
  series.forEach((s, i) => {
    const colour = colours[i % colours.length] ?? '#222';
    const at = s.points.map((p) => `${px(p.x).toFixed(1)} ${py(p.y).toFixed(1)}`);
    if (s.scatter !== true && at.length > 1)
      parts.push(`<path d="M${at.join(' L')}" fill="none" stroke="${colour}" stroke-width="2"/>`);
    s.points.forEach((p) => {
      parts.push(
        `<circle cx="${px(p.x).toFixed(1)}" cy="${py(p.y).toFixed(1)}" r="${s.scatter === true ? 5 : 3}" fill="${colour}"/>`,
      );
      if (p.label !== undefined)
        parts.push(text(px(p.x) + 8, py(p.y) - 6, 'start', p.label, ` fill="${colour}"`));
    });
    parts.push(text(width - right + 8, top + 14 + 18 * i, 'start', s.name, ` fill="${colour}"`));
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="12" fill="#222">
<rect width="${width}" height="${height}" fill="#fff"/>
${text(left, 26, 'start', title, ' font-size="15"')}
${parts.join('\n')}
${text((left + width - right) / 2, height - 14, 'middle', x)}
${text(16, (top + height - bottom) / 2, 'middle', y, ` transform="rotate(-90 16 ${(top + height - bottom) / 2})"`)}
</svg>
`;
}
