import { requestsOff } from '../../config/index.js';
import { messageOf } from '../../runtime/errors.js';
import { agentVersion } from '../../runtime/version.js';
import type { Changed, House, Neighbour } from '../neighbour.js';
import { announcedPath } from './announced-path.js';
import { readAnnounced, writeAnnounced, type Told } from './announced.js';
import { announce, discoveryTopic, type Announcement } from './discovery.js';
import { objectIdOf } from './names.js';

/** Home Assistant has begun: a hall full of devices answers over this time, not at once. */
const jitterMs = 5000;
/** It subscribes to what it was told of before the values come. */
const valuesAfterMs = 2000;

/** Told of this device, as long as it is wanted; all that it shows and asks goes over the device's own topics. */
export class HomeAssistant implements Neighbour {
  private now: Announcement | null = null;
  private saving: Promise<void> = Promise.resolve();
  private cancelAnswer: (() => void) | null = null;

  private constructor(
    private readonly house: House,
    private readonly path: string,
    /** What is, or may be, on the broker. */
    private told: readonly Told[],
  ) {}

  static async open(house: House): Promise<HomeAssistant> {
    const { state, publish } = house.config();
    const path = announcedPath(state.dir);
    const neighbour = new HomeAssistant(house, path, await readTold(house, path));
    if (publish.homeAssistant.enabled) {
      neighbour.announce();
      house.mqtt.subscribe(
        `${publish.homeAssistant.prefix}/status`,
        (_topic, payload, retained) => {
          // A retained one is of long ago: it is told at every connection anyway.
          if (!retained && payload.toString() === 'online') neighbour.begun();
        },
      );
    }
    for (const { topic } of neighbour.told)
      if (topic !== neighbour.now?.topic) neighbour.takeAway(topic);
    return neighbour;
  }

  changed(what: Changed): void {
    if (what === 'info' && this.now !== null) this.announce();
  }

  async close(): Promise<void> {
    this.cancelAnswer?.();
    await this.saving;
  }

  /** Sentences may have come and gone. On disk first what is told then. */
  private announce(): void {
    const next = this.announcement();
    if (JSON.stringify(next.message) === JSON.stringify(this.now?.message)) return;
    this.now = next;
    const { topic, platforms } = next;
    this.told = [...this.told.filter((told) => told.topic !== topic), { topic, platforms }];
    this.save();
    this.saving = this.saving.then(() => this.tell());
  }

  private announcement(): Announcement {
    const { mqtt, config, grammar, languageUpdate } = this.house;
    const { publish, device } = config();
    const topic = topicOf(this.house);
    return announce({
      prefix: publish.homeAssistant.prefix,
      base: publish.base,
      device: device.id,
      version: agentVersion,
      topics: mqtt.topics,
      intents: grammar().intents,
      requestsOff: requestsOff(publish.requests),
      languageUpdates: languageUpdate() !== null,
      before: this.told.find((told) => told.topic === topic)?.platforms ?? {},
    });
  }

  private tell(): void {
    if (this.now === null) return;
    const { topic, message, shorter } = this.now;
    this.house.mqtt.retain(topic, message, { shorter });
  }

  private takeAway(topic: string): void {
    const { mqtt, log } = this.house;
    mqtt.retain(topic, null, {
      onTaken: () => {
        if (!this.told.some((told) => told.topic === topic)) return;
        this.told = this.told.filter((told) => told.topic !== topic);
        this.save();
        log.info({ event: 'home-assistant.taken-away', topic }, 'taken away from Home Assistant');
      },
    });
  }

  /** A broker that keeps nothing for it has nothing of us. */
  private begun(): void {
    const { clock, random, mqtt } = this.house;
    this.cancelAnswer?.();
    this.cancelAnswer = clock.after(random() * jitterMs, () => {
      this.tell();
      this.cancelAnswer = clock.after(valuesAfterMs, () => {
        this.cancelAnswer = null;
        mqtt.retainedAgain();
      });
    });
  }

  /** Whatever is to be told when its turn comes. */
  private save(): void {
    this.saving = this.saving.then(async () => {
      try {
        await writeAnnounced(this.path, this.told);
      } catch (error) {
        this.house.log.warn(
          { event: 'home-assistant.not-kept', path: this.path, why: messageOf(error) },
          'what Home Assistant was told could not be kept on disk: switched off, it may stay there',
        );
      }
    });
  }
}

async function readTold(house: House, path: string): Promise<readonly Told[]> {
  try {
    return await readAnnounced(path);
  } catch (error) {
    house.log.warn(
      { event: 'home-assistant.unreadable', path, why: messageOf(error) },
      'what Home Assistant was told before cannot be read; what is gone may stay there',
    );
    return [{ topic: topicOf(house), platforms: {} }];
  }
}

function topicOf({ config }: House): string {
  const { publish, device } = config();
  return discoveryTopic(publish.homeAssistant.prefix, objectIdOf(publish.base, device.id));
}
