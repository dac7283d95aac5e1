/** neighbours: what the daemon hears, told to whoever stands beside it. */
export { kinds } from './kinds.js';
export type {
  Begun,
  Changed,
  EarlyKind,
  Ground,
  House,
  MqttPort,
  Neighbour,
  NeighbourKind,
} from './neighbour.js';
export { Neighbours } from './neighbours.js';
