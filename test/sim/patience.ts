/** So long is waited for what has to come. No promise is measured with it: a busy machine may take minutes. */
export const patienceMs = 180_000;
