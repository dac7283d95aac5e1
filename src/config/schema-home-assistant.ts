import { flag, topicPath } from './formats.js';

/** The keys under `publish.homeAssistant`. */
export const homeAssistantSchema = {
  enabled: {
    doc: 'Show this device in Home Assistant; see docs/home-assistant.md. Off again: it is taken away there.',
    format: flag,
    default: false,
  },
  prefix: {
    doc: "Home Assistant's discovery prefix, as its MQTT integration has it.",
    format: topicPath,
    default: 'homeassistant',
  },
} as const;
