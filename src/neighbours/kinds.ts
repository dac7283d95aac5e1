import { isAnnounced } from './home-assistant/announced-path.js';
import type { EarlyKind, NeighbourKind } from './neighbour.js';

/** Every neighbour there is. `open` imports its folder: what is off costs nothing. */
export const kinds: readonly (NeighbourKind | EarlyKind)[] = [
  {
    name: 'feedback',
    enabled: ({ feedback: { sounds, led, program } }) =>
      sounds !== 'off' || led !== '' || program !== '',
    open: async (house) => (await import('./feedback/feedback.js')).Feedback.open(house),
  },
  {
    name: 'hermes',
    enabled: ({ publish }) => publish.hermes.enabled,
    open: async (house) => new (await import('./hermes/hermes.js')).Hermes(house),
  },
  {
    name: 'metrics',
    enabled: ({ metrics }) => metrics.listen !== '' || metrics.textfile !== '',
    open: async (house) => (await import('./metrics/metrics.js')).Metrics.open(house),
  },
  {
    name: 'sparkplug',
    enabled: ({ publish }) => publish.sparkplug.enabled,
    open: async (house) => (await import('./sparkplug/sparkplug.js')).Sparkplug.open(house),
  },
  {
    name: 'page',
    enabled: ({ page }) => page.listen !== '',
    open: async (house) => (await import('./page/page.js')).Page.open(house),
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
