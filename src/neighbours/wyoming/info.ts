/** What this service is and can, as `describe` asks. True before the model is loaded, and complete after. */
import type { Engine } from '../../engine/engine.js';
import type { WakePhrase } from '../../recognizer/index.js';
import { agentVersion } from '../../runtime/version.js';
import type { EventData } from './frames.js';

/** What the lexicon and the units of every bundle so far speak; a manifest does not say. */
const languages = ['en'];
const attribution = { name: 'kikitori', url: 'https://pypi.org/project/wyoming/' };

const part = (name: string, description: string, version = agentVersion) => ({
  name,
  description,
  version,
  attribution,
  installed: true,
});

export function infoOf(engine: Engine | null, phrase: string): EventData {
  const model = engine?.bundle.manifest;
  const commands = model?.name ?? 'kikitori';
  const described = part(commands, 'the commands of this site', model?.version);
  return {
    asr: [
      {
        ...part('kikitori', 'commands by a grammar, heard on the device'),
        models: [{ ...described, languages }],
        // An answer is known when it is judged: what is heard before that may still be refused.
        supports_transcript_streaming: false,
        requires_external_vad: false,
        // Gain does not change the features' shape, and the network was trained in noise.
        prefers_auto_gain_enabled: false,
        prefers_noise_reduction_enabled: false,
      },
    ],
    intent: [
      {
        ...part('kikitori', 'intents and slots of the grammar'),
        models: [{ ...described, languages }],
      },
    ],
    wake:
      phrase === ''
        ? []
        : [
            {
              ...part('kikitori', 'a wake phrase of any words'),
              models: [{ ...part(wakeNameOf(phrase), phrase), languages, phrase }],
            },
          ],
    tts: [],
    handle: [],
    mic: [],
    snd: [],
  };
}

/** The phrase as a name: hey_machine. */
export function wakeNameOf(phrase: WakePhrase['phrase']): string {
  return phrase.toLowerCase().split(/\s+/).filter(Boolean).join('_');
}
