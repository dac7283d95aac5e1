import {
  brokerUrl,
  bytes,
  duration,
  flag,
  integerBetween,
  mqttVersion,
  numberBetween,
  numberOrNull,
  text,
  topicLevel,
  topicPath,
} from './formats.js';
import { brokerLogin } from './schema-broker-login.js';
import { homeAssistantSchema } from './schema-home-assistant.js';
import { sparkplugSchema } from './schema-sparkplug.js';
import { dictationSchema } from './schema-dictation.js';
import { updateSchema } from './schema-update.js';
import { feedbackSchema } from './schema-feedback.js';
import { hermesSchema } from './schema-hermes.js';
import { requestsSchema } from './schema-requests.js';
import { metricsSchema } from './schema-metrics.js';
import { pageSchema } from './schema-page.js';
import { wyomingSchema } from './schema-wyoming.js';

export interface Format {
  readonly name: string;
  readonly validate: (value: unknown) => void;
  readonly coerce?: (value: unknown) => unknown;
}

export interface Key {
  readonly doc: string;
  readonly format: Format | readonly string[];
  readonly default: string | number | boolean | null;
  /** A path: relative ones are taken from the configuration file's folder. `secret`: or a systemd credential. */
  readonly path?: true | 'secret';
  /** Never shown, as some brokers take a token for a name. */
  readonly secret?: true;
}

const second = 1000;
const day = 86_400 * second;

/** Every key of the configuration; the default file, the reference and the environment names come from it. */
export const schema = {
  device: {
    id: {
      doc: 'Name of this device in topics. Empty: derived from /etc/machine-id.',
      format: topicLevel,
      default: '',
    },
  },
  model: {
    path: {
      doc: 'The model bundle, a folder or a .tar. Empty: the one that came with kikitori.',
      format: text,
      default: '',
      path: true,
    },
  },
  grammar: {
    path: {
      doc: 'The sentences that may be said: a file, or a folder whose *.yaml are one grammar. Empty: the example that came with kikitori.',
      format: text,
      default: '',
      path: true,
    },
    wordsPath: {
      doc: 'Own words with pronunciations; see docs/words.md. Empty: none.',
      format: text,
      default: '',
      path: true,
    },
    phonesMax: {
      doc: 'Sentences that make more phones to search are refused, and the old ones stay. 50,000 make answers late on a small board; kikitori grammar check says how many there are.',
      format: integerBetween(1000, 4_000_000),
      default: 1_000_000,
    },
  },
  capture: {
    source: {
      doc: 'Where audio comes from. none: this device has no microphone and hears for others, see docs/wyoming.md.',
      format: ['recorder', 'file', 'stdin', 'none'],
      default: 'recorder',
    },
    recorder: {
      doc: 'The program that records.',
      format: ['arecord', 'rec', 'sox'],
      default: 'arecord',
    },
    device: {
      doc: 'The microphone by name, from `arecord -L`, like plughw:CARD=Device. Names stay after a reboot, numbers (hw:1,0) do not. Empty: the default one.',
      format: text,
      default: '',
    },
    rateHz: {
      doc: 'Rate that the recorder is asked for; converted when the model wants another.',
      format: integerBetween(8000, 192000),
      default: 16000,
    },
    channels: {
      doc: 'Channels that the microphone has.',
      format: integerBetween(1, 32),
      default: 1,
    },
    channel: {
      doc: 'The channel to hear, from 0; -1 mixes all.',
      format: integerBetween(-1, 31),
      default: 0,
    },
    gainDb: { doc: 'Amplification after capture.', format: numberBetween(-40, 40), default: 0 },
    path: { doc: 'The sound file, when source is file.', format: text, default: '', path: true },
    pace: { doc: 'How fast a file is played.', format: ['realtime', 'fast'], default: 'realtime' },
    silentAfterMs: {
      doc: 'Digital silence for this long is reported: a muted or broken microphone. Longer for one that gives zeros between sentences (a noise gate).',
      format: duration(500, day),
      default: 2500,
    },
    stallAfterMs: {
      doc: 'No audio for this long: the recorder is restarted.',
      format: duration(200, 60 * second),
      default: 2000,
    },
    backoffMinMs: {
      doc: 'First wait before a lost microphone is opened again.',
      format: duration(10, 60 * second),
      default: 500,
    },
    backoffMaxMs: {
      doc: 'Longest such wait; a quarter more by chance. A microphone that is back is heard within it.',
      format: duration(10, 600 * second),
      default: 3500,
    },
  },
  recognizer: {
    mode: {
      doc: 'always: hears commands all the time. push-to-talk: only after a listen request. wake: after the wake phrase, and after a listen request. dictation: free words in place of commands, see docs/dictation.md.',
      format: ['always', 'push-to-talk', 'wake', 'dictation'],
      default: 'always',
    },
    ...dictationSchema,
    threads: {
      doc: 'Threads of the network; one is fastest for a model of this size.',
      format: integerBetween(1, 16),
      default: 1,
    },
    warp: {
      doc: 'Vocal-tract warp of the features, chosen by `kikitori tune`; 1 is as trained.',
      format: numberBetween(0.8, 1.25),
      default: 1,
    },
    minConfidence: {
      doc: "Commands below this probability are refused. null: the model's own threshold; in mode dictation 0.6.",
      format: numberOrNull(0, 1),
      default: null,
    },
    minCertainty: {
      doc: "Commands are refused as ambiguous below this probability that no other one was meant. null: the model's own; 0: never, unless an opposite is ahead.",
      format: numberOrNull(0, 1),
      default: null,
    },
    finalMs: {
      doc: "Silence after a sentence that cannot go on. null: the model's own.",
      format: numberOrNull(60, 5000),
      default: null,
    },
    openMs: {
      doc: "Silence after a sentence that could go on. null: the model's own.",
      format: numberOrNull(60, 10_000),
      default: null,
    },
    holdMs: {
      doc: "A finished sentence ends this long after its last word, whatever else is heard. null: the model's own.",
      format: numberOrNull(60, 20_000),
      default: null,
    },
    prefixMs: {
      doc: "Silence after an unfinished sentence. null: the model's own.",
      format: numberOrNull(60, 10_000),
      default: null,
    },
    maxUtteranceMs: {
      doc: "Longest utterance; then it is refused as too long. In mode dictation nothing is: what is certain of a longer one is sent, and the rest follows. null: the model's own; there 15 s.",
      format: numberOrNull(1000, 60_000),
      default: null,
    },
    preRollMs: {
      doc: "Audio kept from before the first sound. null: the model's own.",
      format: numberOrNull(0, 3000),
      default: null,
    },
    wake: {
      phrase: {
        doc: 'What is said before a command in mode wake, like "hey machine": any words, no training.',
        format: text,
        default: '',
      },
      threshold: {
        doc: 'Lowest score of the phrase, 0 at best; nearer to 0 misses more and mistakes less. null: -1.2.',
        format: numberOrNull(-20, 0),
        default: null,
      },
      refractoryMs: {
        doc: 'After the phrase it is not heard again for this long.',
        format: duration(0, 60 * second),
        default: 2000,
      },
      listenMs: {
        doc: 'How long a command is waited for after the phrase.',
        format: duration(500, 60 * second),
        default: 5000,
      },
    },
  },
  publish: {
    base: {
      doc: 'Beginning of every topic, one level or several.',
      format: topicPath,
      default: 'kikitori',
    },
    qos: {
      doc: '1: the broker acknowledges each message. 0: for a broker without QoS 1; what it loses is lost, see docs/mqtt.',
      format: integerBetween(0, 1),
      default: 1,
    },
    retain: {
      doc: 'false: for a broker without retained messages; who subscribes later does not see state, info, health and update.',
      format: flag,
      default: true,
    },
    partials: {
      doc: 'Publish what is heard so far while it is being said (QoS 0).',
      format: flag,
      default: false,
    },
    healthMs: {
      doc: 'Time between two health messages.',
      format: duration(second, day),
      default: 60_000,
    },
    mqtt: {
      url: {
        doc: 'The broker. mqtts for TLS.',
        format: brokerUrl,
        default: 'mqtt://127.0.0.1:1883',
      },
      protocolVersion: {
        doc: 'auto: MQTT 5, and 3.1.1 with a broker that speaks no other; or 5, or 4 for 3.1.1, alone.',
        format: mqttVersion,
        default: 'auto',
      },
      clientId: {
        doc: 'Empty: kikitori-<device id>. Two clients with one id throw each other out.',
        format: text,
        default: '',
      },
      ...brokerLogin,
      servername: {
        doc: "Name expected in the broker's certificate. Empty: the host of the URL.",
        format: text,
        default: '',
      },
      rejectUnauthorized: {
        doc: 'false accepts any certificate: for a test bench only.',
        format: flag,
        default: true,
      },
      keepaliveMs: {
        doc: 'A dead connection is noticed within 1.5 of these.',
        format: duration(second, 3600 * second),
        default: 30_000,
      },
      connectTimeoutMs: {
        doc: "Longest wait for the broker's answer.",
        format: duration(100, 300 * second),
        default: 15_000,
      },
    },
    outbox: {
      maxBytes: {
        doc: 'Transcripts waiting for the broker; beyond this the oldest are dropped and counted.',
        format: bytes(10_000, 1e12),
        default: 50_000_000,
      },
      maxAgeMs: {
        doc: 'Transcripts older than this are dropped and counted.',
        format: duration(second, 3650 * day),
        default: 7 * day,
      },
    },
    requests: requestsSchema,
    homeAssistant: homeAssistantSchema,
    sparkplug: sparkplugSchema,
    hermes: hermesSchema,
  },
  feedback: feedbackSchema,
  metrics: metricsSchema,
  page: pageSchema,
  wyoming: wyomingSchema,
  update: updateSchema,
  state: {
    dir: {
      doc: 'Folder for what must survive a restart. Empty: $STATE_DIRECTORY, else ./state.',
      format: text,
      default: '',
      path: true,
    },
  },
  log: {
    level: {
      doc: 'Least important line shown.',
      format: ['trace', 'debug', 'info', 'warn', 'error', 'fatal'],
      default: 'info',
    },
    transcripts: {
      doc: 'Write what was said into the log. Off: only numbers.',
      format: flag,
      default: false,
    },
  },
} as const satisfies Tree;

export interface Tree {
  readonly [name: string]: Key | Tree;
}

type ValueOf<K extends Key> = K['format'] extends readonly (infer W)[]
  ? W
  : K['format'] extends { readonly values: readonly (infer V)[] }
    ? V
    : K['default'] extends null
      ? number | null
      : K['default'] extends string
        ? string
        : K['default'] extends boolean
          ? boolean
          : number;

type ConfigOf<T> = { readonly [N in keyof T]: T[N] extends Key ? ValueOf<T[N]> : ConfigOf<T[N]> };

export type Config = ConfigOf<typeof schema>;

export function isKey(node: Key | Tree): node is Key {
  return typeof (node as Key).doc === 'string';
}

/** Every key with its dotted path. */
export function* keysOf(
  tree: Tree,
  prefix: readonly string[] = [],
): Generator<{ path: string; key: Key }> {
  for (const [name, node] of Object.entries(tree)) {
    const path = [...prefix, name];
    if (isKey(node)) yield { path: path.join('.'), key: node };
    else yield* keysOf(node, path);
  }
}

/** publish.mqtt.url -> KIKITORI_PUBLISH_MQTT_URL, capture.gainDb -> KIKITORI_CAPTURE_GAIN_DB. */
export function environmentName(path: string): string {
  return `KIKITORI_${path.replace(/\./g, '_').replace(/[A-Z]/g, '_$&').toUpperCase()}`;
}

/** What a value must be, in words. */
export function expectation(key: Key): string {
  if (Array.isArray(key.format)) return `one of ${key.format.join(', ')}`;
  try {
    (key.format as Format).validate(Symbol('never valid').description);
    return (key.format as Format).name;
  } catch (error) {
    return error instanceof Error ? error.message : 'another value';
  }
}
