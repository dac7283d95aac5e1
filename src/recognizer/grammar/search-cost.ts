/** What a graph costs to search, as bench/search.js measured it on one core of an AMD EPYC (bench/notes/2026-11-29-search-cost.md). */
const shareOfRealTimePerPhone = 8e-7;
const endMsPerPhone = 8e-3;

/** Beyond so many phones an answer comes late on a small board: some 0.4 s on the machine of the measurement. */
const slowPhones = 50_000;
/** The daemon's limit where the configuration (grammar.phonesMax) names none. */
const usualPhonesMax = 1_000_000;

export interface SearchCost {
  /** Of one core, while somebody speaks. */
  readonly shareOfRealTime: number;
  /** When somebody has spoken for 3 s. */
  readonly endMs: number;
}

export const searchCost = (phones: number): SearchCost => ({
  shareOfRealTime: phones * shareOfRealTimePerPhone,
  endMs: phones * endMsPerPhone,
});

export function costInWords(phones: number): string {
  const { shareOfRealTime, endMs } = searchCost(phones);
  const share = (100 * shareOfRealTime).toPrecision(2);
  return `about ${share} % of a server's core while somebody speaks and ${(endMs / 1000).toPrecision(2)} s at the end; small boards take several times that`;
}

const remedies =
  'fewer names in the longest list, ranges and digits in place of listed numbers, fewer optional parts around lists';

/** What is said of a graph that makes answers late. */
export function slowWarning(phones: number): string | undefined {
  if (phones <= slowPhones) return undefined;
  const refused =
    phones > usualPhonesMax ? ', which the daemon refuses unless grammar.phonesMax allows it' : '';
  return `${phones.toLocaleString('en')} phones to search${refused}: ${costInWords(phones)}. What helps: ${remedies}`;
}

export const tooSlow = (phones: number, phonesMax: number): string =>
  `the sentences make ${phones.toLocaleString('en')} phones to search, at most ${phonesMax.toLocaleString('en')} (grammar.phonesMax): ${costInWords(phones)}. What helps: ${remedies}`;
