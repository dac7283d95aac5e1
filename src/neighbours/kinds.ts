import type { NeighbourKind } from './neighbour.js';

/** Every neighbour there is. `open` imports its folder: what is off costs nothing. */
export const kinds: readonly NeighbourKind[] = [];
