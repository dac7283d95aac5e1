/**
 * Audio handed on at once, in milliseconds: a step of the network that ships. The end of speech is noticed half of it later on average, so it
 * is short.
 */
export const chunkMs = 30;
