/** Letters in one form, and nothing that cannot be seen: two texts that look alike are equal. */
export function visibleForm(text: string): string {
  return text
    .normalize('NFC')
    .replace(/[\u00AD\u200C-\u200F\u202A-\u202E\u2060-\u2069\uFE00-\uFE0F\uFEFF]/gu, '');
}

/** How a site's own word is looked up: as it is written, capitals and small letters alike. */
export function ownForm(text: string): string {
  return visibleForm(text).replace(/’/g, "'").toLowerCase();
}
