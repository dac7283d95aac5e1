import { isAnnounced } from './home-assistant/announced-path.js';
import type { EarlyKind, NeighbourKind } from './neighbour.js';

/** Every neighbour there is. `open` imports its folder: what is off costs nothing. */
export const kinds: readonly (NeighbourKind | EarlyKind)[] = [
  {
    name: 'metrics',
    enabled: ({ metrics }) => metrics.listen !== '' || metrics.textfile !== '',
    open: async (house) => (await import('./metrics/metrics.js')).Metrics.open(house),
  },
  {
    name: 'wyoming',
    enabled: ({ wyoming }) => wyoming.listen !== '',
    begin: async (ground) => new (await import('./wyoming/service.js')).WyomingService(ground),
  },
  {
    name: 'home-assistant',
    enabled: ({ publish, state }) => publish.homeAssistant.enabled || isAnnounced(state.dir),
    open: async (house) => (await import('./home-assistant/index.js')).HomeAssistant.open(house),
  },
];
