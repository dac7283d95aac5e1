import {
  duration,
  flag,
  maintenanceWindow,
  nameList,
  numberBetween,
  repositoryUrl,
  text,
  channelName,
  channelNameOrNone,
  versionOrAny,
} from './formats.js';

const second = 1000;
const day = 86_400 * second;

/** The keys under `update`. */
export const updateSchema = {
  enabled: {
    doc: 'Ask the repository for new models and try them. Off: what hears stays; see docs/updates.md.',
    format: flag,
    default: true,
  },
  url: {
    doc: 'Where the signed repository is served. Empty: no updates.',
    format: repositoryUrl,
    default: '',
  },
  rootPath: {
    doc: 'The trusted root of that repository (root.json), installed by hand and never written.',
    format: text,
    default: '',
    path: true,
  },
  caFile: {
    doc: "Certificate of the authority that signed the repository's server. Empty: the system's.",
    format: text,
    default: '',
    path: 'secret',
  },
  channel: {
    doc: 'The channel to follow; publisher/name for one of a second publisher.',
    format: channelName,
    default: 'stable',
  },
  groups: {
    doc: 'Groups of this device, with commas between; a roll-out may name some first.',
    format: nameList,
    default: '',
  },
  checkEveryMs: {
    doc: 'Time between two questions to the repository, give or take a tenth.',
    format: duration(second, 30 * day),
    default: 3600 * second,
  },
  window: {
    doc: 'When the model may be changed, local time: "02:00-04:00", "Mon-Fri 22:00-02:00". Downloads do not wait. Empty: always.',
    format: maintenanceWindow,
    default: '',
  },
  pin: {
    doc: 'Install this version only. Empty: whatever the channel offers.',
    format: versionOrAny,
    default: '',
  },
  language: {
    channel: {
      doc: 'Mode dictation: the channel of the repository whose language models are tried in place of recognizer.languageModelPath. Empty: none; see docs/dictation.md.',
      format: channelNameOrNone,
      default: '',
    },
    trigger: {
      doc: 'What says which language model to try: the channel, or update.hawkbit, which assigns them like model bundles; see docs/hawkbit.md.',
      format: ['channel', 'hawkbit'],
      default: 'channel',
    },
    pin: {
      doc: 'Install this version of a language model only. Empty: whatever the channel offers.',
      format: versionOrAny,
      default: '',
    },
  },
  hawkbit: {
    url: {
      doc: 'Eclipse hawkBit as the trigger, like https://hawkbit.example.com: it says which bundle of the repository to try, and when; see docs/hawkbit.md. Empty: the channel says.',
      format: repositoryUrl,
      default: '',
    },
    tenant: { doc: 'The tenant there.', format: text, default: 'DEFAULT' },
    controllerId: {
      doc: 'The id of this board as a target there. Empty: device.id.',
      format: text,
      default: '',
    },
    token: {
      doc: 'Which kind of token is in tokenFile.',
      format: ['target', 'gateway'],
      default: 'target',
    },
    tokenFile: {
      doc: 'File that holds the token, or the name of a systemd credential. Empty: none.',
      format: text,
      default: '',
      path: 'secret',
    },
    caFile: {
      doc: "Certificate of the authority that signed hawkBit's. Empty: the system's.",
      format: text,
      default: '',
      path: 'secret',
    },
  },
  trial: {
    utterances: {
      doc: 'A new model is on trial for so many utterances ...',
      format: numberBetween(1, 10_000),
      default: 50,
    },
    durationMs: {
      doc: '... or for this long, whichever comes first. A day holds every shift.',
      format: duration(second, 30 * day),
      default: day,
    },
    minSample: {
      doc: 'Fewer utterances than this are not compared.',
      format: numberBetween(5, 1000),
      default: 20,
    },
  },
  limits: {
    realTimeFactor: {
      doc: 'Processor time over audio time that a model may need on this board.',
      format: numberBetween(0.0001, 1),
      default: 0.5,
    },
    memoryMb: {
      doc: 'Memory that a process with the model and the sentences may need.',
      format: numberBetween(20, 100_000),
      default: 400,
    },
    selftestMs: {
      doc: 'Processor time that opening, the sentences and the self-test may take; by the clock ten times as much.',
      format: duration(second, 3600 * second),
      default: 120 * second,
    },
  },
} as const;
