import { listenAddress, text } from './formats.js';

/** Numbers for Prometheus; see docs/metrics.md. */
export const metricsSchema = {
  listen: {
    doc: 'Where Prometheus finds /metrics, like 127.0.0.1:9464; see docs/metrics.md. Numbers only, no words; whoever reaches the port may read them. Empty: off.',
    format: listenAddress,
    default: '',
  },
  textfile: {
    doc: "A file for the node exporter's textfile collector, ending in .prom, written every 15 s. Empty: none.",
    format: text,
    default: '',
    path: true,
  },
} as const;
