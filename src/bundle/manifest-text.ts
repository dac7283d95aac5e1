/** A list of numbers over several lines. No text holds a line's end as it is, so none looks like one. */
const longList = /\[\n\s+(-?\d[^[\]{}"]*?)\n\s*\]/g;

/** A manifest as it is written: a line a value, lists of numbers on one. With them it is hundreds of lines shorter. */
export const manifestText = (manifest: object): string =>
  `${JSON.stringify(manifest, null, 1).replace(longList, (_, list: string) => `[${list.replace(/\s+/g, ' ')}]`)}\n`;
