/**
 * Function words as they are said without stress (Ladefoged and Johnson, "A Course in Phonetics", table of strong and
 * weak forms; Roach, "English Phonetics and Phonology", chapter 12): those that CMUdict lacks. Without those of one
 * consonant alone (N for "and", V for "have"), which noise is full of.
 */
export const weakForms: Readonly<Record<string, readonly string[]>> = {
  am: ['AH M'],
  and: ['AH N', 'EH N'],
  as: ['AH Z'],
  at: ['AH T'],
  can: ['K IH N'],
  could: ['K AH D'],
  do: ['D AH'],
  had: ['HH AH D', 'AH D'],
  has: ['AH Z'],
  have: ['HH AH V', 'AH V', 'AE V'],
  he: ['IY'],
  her: ['ER'],
  his: ['IH Z'],
  just: ['JH AH S'],
  must: ['M AH S'],
  of: ['AH'],
  shall: ['SH AH L'],
  should: ['SH AH D'],
  them: ['AH M'],
  there: ['DH ER'],
  will: ['AH L'],
  with: ['W AH TH', 'W AH DH'],
  would: ['W AH D', 'AH D'],
  you: ['Y AH'],
  your: ['Y ER'],
};
