import { KikitoriError } from '../../runtime/errors.js';

/** One line of a section: words, log10 of the probability, log10 of the back-off where one is written. */
export interface ArpaGram {
  readonly words: readonly string[];
  readonly log10Probability: number;
  readonly log10BackOff: number | undefined;
  readonly line: number;
}

export interface ArpaEvents {
  /** How many n-grams of each order the file says it has. */
  counts(counts: readonly number[]): void;
  gram(gram: ArpaGram): void;
}

/** An error names no more faults than these; the rest is counted. */
const faultsMax = 20;

/**
 * Reads an ARPA file a line at a time: `\data\`, `ngram N=COUNT`, sections `\N-grams:`, `\end\`. What stands before
 * `\data\` is passed over, as other readers do. Faults are gathered with their lines and thrown by end().
 */
export class ArpaLines {
  private line = 0;
  private readonly counts: number[] = [];
  private readonly found: number[] = [];
  /** 0: before `\data\`; -1: among the counts; n: in section n; Infinity: behind `\end\`. */
  private section = 0;
  private told = false;
  private readonly faults: string[] = [];
  private faultCount = 0;

  constructor(
    private readonly where: string,
    private readonly events: ArpaEvents,
  ) {}

  /** One line without its end. */
  take(text: string): void {
    this.line += 1;
    const line = text.trim();
    if (line === '' || this.section === Infinity) return;
    if (this.section === 0) {
      if (line === '\\data\\') this.section = -1;
      return;
    }
    if (line.startsWith('\\') && this.heading(line)) return;
    if (this.section === -1) this.count(line);
    else this.gram(line);
  }

  /** Behind the last line: throws when anything was wrong. */
  end(): void {
    if (this.section === 0) this.fault('there is no line \\data\\: this is no ARPA file', 0);
    else if (this.section !== Infinity) this.fault('it ends without \\end\\: it is cut off');
    else this.compareCounts();
    this.throwFaults();
  }

  /** A fault that the reader of the n-grams found. */
  fault(what: string, line = this.line): void {
    this.faultCount += 1;
    if (this.faults.length < faultsMax)
      this.faults.push(line === 0 ? `${this.where}: ${what}` : `${this.where}:${line}: ${what}`);
  }

  throwFaults(): void {
    if (this.faultCount === 0) return;
    const more = this.faultCount - this.faults.length;
    throw new KikitoriError(
      this.faults.join('\n') + (more > 0 ? `\nand ${more} faults more` : ''),
      { kind: 'input', expected: 'an ARPA file as SRILM, IRSTLM and KenLM write it' },
    );
  }

  private heading(line: string): boolean {
    if (line === '\\end\\') {
      this.tellCounts();
      this.section = Infinity;
      return true;
    }
    const order = Number(/^\\(\d+)-grams:$/.exec(line)?.[1]);
    if (!Number.isInteger(order)) return false;
    this.tellCounts();
    const next = Math.max(this.section, 0) + 1;
    if (order > this.counts.length) this.fault(`section ${line} was not named under \\data\\`);
    else if (order !== next) this.fault(`section ${line} stands here, expected \\${next}-grams:`);
    this.section = order;
    return true;
  }

  private count(line: string): void {
    const [, order, count] = /^ngram\s+(\d+)\s*=\s*(\d+)$/.exec(line) ?? [];
    if (count === undefined) this.fault(`${shown(line)}, expected "ngram N=COUNT"`);
    else if (Number(order) !== this.counts.length + 1)
      this.fault(`ngram ${order} stands here, expected ngram ${this.counts.length + 1}`);
    else this.counts.push(Number(count));
  }

  private tellCounts(): void {
    if (this.told) return;
    this.told = true;
    if (this.counts.length === 0) this.fault('no line "ngram N=COUNT" stands under \\data\\');
    this.events.counts(this.counts);
  }

  private gram(line: string): void {
    const order = this.section;
    this.found[order - 1] = (this.found[order - 1] ?? 0) + 1;
    const fields = line.split(/\s+/);
    const highest = order === this.counts.length;
    if (fields.length !== order + 1 && (highest || fields.length !== order + 2)) {
      const back = highest ? '' : ' and perhaps a back-off';
      this.fault(
        `${fields.length} fields, expected a probability, ${order} ${order === 1 ? 'word' : 'words'}${back}`,
      );
      return;
    }
    const log10Probability = Number(fields[0]);
    // A little above 0 is what rounding makes of 1.
    if (!(log10Probability <= 1e-4 && log10Probability > -Infinity)) {
      this.fault(
        `the probability is ${shown(fields[0] ?? '')}, expected its log10: a number from -99 to 0`,
      );
      return;
    }
    const written = fields[order + 1];
    const log10BackOff = written === undefined ? undefined : Number(written);
    if (log10BackOff !== undefined && !Number.isFinite(log10BackOff)) {
      this.fault(`the back-off is ${shown(written ?? '')}, expected its log10: a number`);
      return;
    }
    this.events.gram({
      words: fields.slice(1, order + 1),
      log10Probability: Math.min(log10Probability, 0),
      log10BackOff,
      line: this.line,
    });
  }

  private compareCounts(): void {
    this.counts.forEach((count, i) => {
      const found = this.found[i] ?? 0;
      if (found !== count)
        this.fault(`${found} n-grams of order ${i + 1} stand in it, it says ${count}`, 0);
    });
  }
}

function shown(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}...` : text);
}
