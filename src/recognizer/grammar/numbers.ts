const ones =
  'zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen'.split(
    ' ',
  );
const tens = ',,twenty,thirty,forty,fifty,sixty,seventy,eighty,ninety'.split(',');

/** Ways to say a number from -999,999,999 to 999,999,999, most usual first: 105 is "one hundred five" and "one hundred and five". */
export function spokenNumber(value: number): string[] {
  if (value < 0) return spokenNumber(-value).map((words) => `minus ${words}`);
  if (!Number.isInteger(value)) {
    const [whole = '0', fraction = ''] = String(value).split('.');
    const digits = [...fraction].map((d) => ones[Number(d)] ?? '').join(' ');
    return spokenNumber(Number(whole)).map((words) => `${words} point ${digits}`);
  }
  if (value < 20) return [ones[value] ?? ''];
  if (value < 100) {
    const rest = value % 10;
    return [`${tens[Math.floor(value / 10)] ?? ''}${rest === 0 ? '' : ` ${ones[rest] ?? ''}`}`];
  }
  for (const [size, name] of [
    [1_000_000, 'million'],
    [1000, 'thousand'],
    [100, 'hundred'],
  ] as const) {
    if (value < size) continue;
    const heads = spokenNumber(Math.floor(value / size)).map((words) => `${words} ${name}`);
    const rest = value % size;
    if (rest === 0) return heads;
    const tails = spokenNumber(rest);
    const joined = heads.flatMap((head) => tails.map((tail) => `${head} ${tail}`));
    const withAnd =
      rest < 100 ? heads.flatMap((head) => tails.map((tail) => `${head} and ${tail}`)) : [];
    return [...joined, ...withAnd];
  }
  return [];
}

/** Text as the words that are spoken: lower case, digits as numbers, punctuation gone. */
export function wordsOf(text: string): string[] {
  return text
    .toLowerCase()
    .replace(/’/g, "'")
    .replace(/%/g, ' percent ')
    .split(/[^a-z0-9'.]+/)
    .map((word) => word.replace(/^[.']+(?!\w)|\.+$/g, ''))
    .filter((word) => word !== '')
    .flatMap((word) => {
      if (/^\d+(\.\d+)?$/.test(word)) return (spokenNumber(Number(word))[0] ?? '').split(' ');
      const mixed = word.match(/[a-z'.]+|\d+/g) ?? [];
      return mixed.length > 1
        ? mixed.flatMap((part) =>
            /^\d/.test(part) ? (spokenNumber(Number(part))[0] ?? '').split(' ') : [part],
          )
        : [word];
    });
}
