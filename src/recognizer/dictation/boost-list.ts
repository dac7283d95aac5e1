import { KikitoriError } from '../../runtime/errors.js';
import { ownForm } from '../lexicon/word-form.js';

/** More terms than this are refused: a site has tens. */
const termsMax = 20_000;
const faultsShown = 50;
/** As the file may say it: a thousandth to a million times. */
const factorMin = 0.001;
const factorMax = 1e6;

/**
 * A site's own terms, one line each: `word: 20` makes a word 20 times as likely as the language model says. `#` begins a
 * comment. What comes out is in nats, by word. Throws with every fault, each with line and column.
 */
export function parseBoosts(source: string, where: string): Map<string, number> {
  const terms = new Map<string, number>();
  const faults: string[] = [];
  source
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .forEach((raw, index) => {
      const text = raw.replace(/(^|\s)#.*/u, '');
      if (text.trim() === '') return;
      const fault = (column: number, what: string) =>
        faults.push(`${where}:${index + 1}:${column}: ${what}`);
      const [, before = '', written = '', between = '', factor = ''] =
        /^(\s*)(.*?)(\s*:\s*)(\S*)\s*$/u.exec(text) ?? [];
      if (written === '' || factor === '') {
        fault(1, `"${raw.trim()}", expected "word: FACTOR", like "conveyor: 20"`);
        return;
      }
      const word = ownForm(written);
      const column = before.length + 1;
      if (/\s/.test(word))
        fault(column, `"${written}" is no single word, expected a line for each`);
      if (terms.has(word)) fault(column, `"${written}" stands here a second time`);
      const value = /^\d+(\.\d+)?$/.test(factor) ? Number(factor) : NaN;
      if (!(value >= factorMin && value <= factorMax))
        fault(
          before.length + written.length + between.length + 1,
          `"${factor}", expected how many times as likely, from ${factorMin} to ${factorMax}`,
        );
      terms.set(word, Math.log(value));
    });
  if (terms.size > termsMax) faults.push(`${where}: ${terms.size} terms, at most ${termsMax}`);
  if (faults.length === 0) return terms;
  const rest = faults.length > faultsShown ? `\n... and ${faults.length - faultsShown} more` : '';
  throw new KikitoriError(faults.slice(0, faultsShown).join('\n') + rest, { kind: 'grammar' });
}
