/**
 * Sentences as a machine is told things, for synthesis: {noun} and {number} are filled by chance. They
 * belong to no grammar that anything is measured on.
 */
const patterns = [
  'turn on the {noun}',
  'turn off the {noun}',
  'switch the {noun} off',
  'start {noun} {number}',
  'stop {noun} {number}',
  'stop',
  'open the {noun}',
  'close the {noun}',
  'lock the {noun}',
  'unlock the {noun}',
  'set the {noun} to {number} percent',
  'set {noun} to {number}',
  'increase the {noun} by {number}',
  'decrease the {noun} by {number}',
  'raise the {noun}',
  'lower the {noun} please',
  'move the {noun} to the left',
  'reset the {noun}',
  'what is the {noun}',
  'show the {noun} of {noun} {number}',
  'call the {noun}',
  'go to {noun} {number}',
  'next {noun}',
  'bring me a {noun} with {noun}',
  'is the {noun} ready',
  '{noun} up',
  '{noun} down {number}',
] as const;
const nouns =
  'light door pump valve engine table window lamp heater drill robot line station camera filter tank motor fan pressure temperature level speed report manager box wheel ladder bridge gate tray oven press cutter paper water oil river garden hammer'.split(
    ' ',
  );
const numbers =
  'one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen twenty thirty forty fifty sixty ninety'.split(
    ' ',
  );

export function commandSentence(random: () => number): string {
  const pick = (from: readonly string[]) => from[Math.floor(random() * from.length)] ?? '';
  return pick(patterns)
    .replace(/\{noun\}/g, () => pick(nouns))
    .replace(/\{number\}/g, () => pick(numbers));
}
