import { ago, heardWord, nobody, updateWord } from './table.js';
import { count, troubleOf, type DeviceView } from './view.js';

const colours = ['#2a6f97', '#e09f3e', '#6a994e', '#9d4edd', '#bc4749', '#457b9d', '#8d99ae'];
const stateColours: Readonly<Record<string, string>> = {
  idle: '#8d99ae',
  downloading: '#457b9d',
  verified: '#2a6f97',
  trial: '#e09f3e',
  committed: '#6a994e',
  'rolled-back': '#bc4749',
  rejected: '#9b2226',
  failed: '#d00000',
};
const rowsMax = 2000;

/** One file with no reference to anything outside it: which device runs what, and how it fares. */
export function page(
  devices: readonly DeviceView[],
  nowMs: number,
  refreshS: number | null,
): string {
  const c = count(devices);
  const models = [...c.models.keys()].sort();
  const colourOf = (model: string) => colours[models.indexOf(model) % colours.length] ?? '#8d99ae';
  const rows = [...devices]
    .sort((a, b) => troubleOf(b).length - troubleOf(a).length)
    .slice(0, rowsMax)
    .map((d) => row(d, nowMs, colourOf(modelOf(d))));
  const more = devices.length - rows.length;
  const heads = ['', 'device', 'state', 'model', 'for', 'update', 'accepted/refused', 'confidence'];
  const body = `<h2>Models</h2>${bar(c.models, colourOf)}
<h2>Updates</h2>${bar(c.updates, (state) => stateColours[state] ?? '#8d99ae')}
${c.troubles.size === 0 ? '' : `<h2>To look at</h2><p>${counted(c.troubles)}</p>`}
<table><tr>${[...heads, 'seen', 'trouble'].map((h) => `<th>${h}`).join('')}
${rows.join('\n')}
</table>${more > 0 ? `<p class="dim">and ${more} more</p>` : ''}`;
  const refresh = refreshS === null ? '' : `<meta http-equiv="refresh" content="${refreshS}">`;
  return `<!doctype html>
<html lang="en"><meta charset="utf-8">${refresh}<title>kikitori fleet</title>
<style>
body{font:14px system-ui,sans-serif;margin:2em;color:#222;background:#fff}
table{border-collapse:collapse;margin-top:1em}td,th{padding:.25em .8em .25em 0;text-align:left;vertical-align:top}
th{position:sticky;top:0;background:#fff}td:not(:last-child){white-space:nowrap}
tr.bad td{background:#fff1f0}.dim{color:#666}h1{font-size:1.5em;margin-bottom:0}h2{font-size:1.05em;margin:1.2em 0 .3em}
svg.bar{display:block;width:100%;max-width:800px;height:24px}p{margin:.3em 0}
</style>
<h1>${c.devices} devices, ${c.online} online, ${c.troubled} to look at</h1>
<p class="dim">${new Date(nowMs).toISOString().slice(0, 19).replace('T', ' ')} UTC</p>
${devices.length === 0 ? `<p>${escape(nobody)}</p>` : body}
</html>
`;
}

const modelOf = (d: DeviceView) =>
  d.model === null ? 'unknown' : `${d.model.name} ${d.model.version}`;

function row(d: DeviceView, nowMs: number, colour: string): string {
  const trouble = troubleOf(d);
  const confidence = d.health['confidence'];
  const cells = [
    d.device,
    d.online === null ? 'unknown' : d.online ? 'online' : 'offline',
    modelOf(d),
    ago(d.modelSinceMs, nowMs),
    updateWord(d),
    heardWord(d),
    typeof confidence === 'number' ? confidence.toFixed(2) : '-',
    ago(d.lastSeenMs, nowMs),
    trouble.join(', '),
  ];
  const dot = `<svg width="12" height="12"><circle cx="6" cy="6" r="5" fill="${d.online === false ? '#fff' : colour}" stroke="${colour}"/></svg>`;
  return `<tr${trouble.length > 0 ? ' class="bad"' : ''}><td>${dot}${cells.map((cell) => `<td>${escape(cell)}`).join('')}`;
}

/** Shares as one bar; the words below it, since colour alone says nothing to some eyes. */
function bar(parts: ReadonlyMap<string, number>, colour: (name: string) => string): string {
  const total = [...parts.values()].reduce((a, b) => a + b, 0);
  if (total === 0) return '<p class="dim">nothing reported</p>';
  let x = 0;
  const sorted = [...parts].sort((a, b) => b[1] - a[1]);
  const rects = sorted.map(([name, n]) => {
    const width = (800 * n) / total;
    const rect = `<rect x="${x.toFixed(1)}" width="${width.toFixed(1)}" height="24" fill="${colour(name)}"><title>${escape(name)}: ${n}</title></rect>`;
    x += width;
    return rect;
  });
  const words = sorted.map(
    ([name, n]) => `<span style="color:${colour(name)}">&#9632;</span> ${escape(name)} ${n}`,
  );
  return `<svg class="bar" viewBox="0 0 800 24" preserveAspectRatio="none" role="img">${rects.join('')}</svg><p>${words.join(' &nbsp; ')}</p>`;
}

function counted(parts: ReadonlyMap<string, number>): string {
  return [...parts]
    .sort((a, b) => b[1] - a[1])
    .map(([name, n]) => `${n} ${escape(name)}`)
    .join(' &nbsp; ');
}

function escape(value: string): string {
  return value.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}
