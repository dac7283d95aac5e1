import type { EarlyKind, NeighbourKind } from './neighbour.js';

/** Every neighbour there is. `open` imports its folder: what is off costs nothing. */
export const kinds: readonly (NeighbourKind | EarlyKind)[] = [
  {
    name: 'wyoming',
    enabled: ({ wyoming }) => wyoming.listen !== '',
    begin: async (ground) => new (await import('./wyoming/service.js')).WyomingService(ground),
  },
];
