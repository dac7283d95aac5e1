import { intentPayload, rejectedPayload } from '../../publish/index.js';
import type { Heard, Partial } from '../../records.js';
import type { Context, House, Neighbour } from '../neighbour.js';
import { OneProgram } from '../shared/one-program.js';
import { Led, ledFolderOf } from './led.js';
import { soundOf, type Signal } from './sounds.js';

/** A sound card that is stuck. */
const soundLimitMs = 5000;

/** Heard, accepted, refused: told to whoever spoke, by a sound, a light, or a program of the operator's. */
export class Feedback implements Neighbour {
  private readonly faults = new Map<string, string>();
  private readonly sounds: OneProgram | null;
  private readonly program: OneProgram | null;
  private readonly led: Led | null;
  private readonly files: Readonly<Record<Signal, Uint8Array>>;
  /** It was said that this utterance is being heard. */
  private toldFrom: number | null = null;
  /** Asked for, by the wake phrase or by push-to-talk: said once already. */
  private addressed = false;

  constructor(private readonly house: House) {
    const { sounds, device, volumeDb, tailMs, led, program, ...rest } = house.config().feedback;
    const { clock } = house;
    const onEnd = (what: string) => (why: string | null) => this.ended(what, why);
    const sounding = sounds !== 'off' || (program !== '' && rest.programSounds);
    const cover = sounding ? house.coverMicrophone() : null;
    const covered = () => {
      const end = cover?.();
      return () => end?.(tailMs);
    };
    this.files = {
      heard: soundOf('heard', volumeDb),
      accepted: soundOf('accepted', volumeDb),
      refused: soundOf('refused', volumeDb),
    };
    this.sounds =
      sounds === 'off'
        ? null
        : new OneProgram({
            command: 'aplay',
            args: ['-q', ...(device === '' ? [] : ['-D', device]), '-'],
            ...{ limitMs: soundLimitMs, clock, onStart: covered, onEnd: onEnd('sound') },
          });
    this.program =
      program === ''
        ? null
        : new OneProgram({
            ...{ command: program, args: [], limitMs: rest.programTimeoutMs, clock },
            ...(rest.programSounds ? { onStart: covered } : {}),
            onEnd: onEnd('program'),
          });
    this.led = led === '' ? null : new Led(ledFolderOf(led), clock, onEnd('led'));
  }

  static async open(house: House): Promise<Feedback> {
    return new Feedback(house);
  }

  partial({ startSample }: Partial): void {
    if (this.addressed || this.toldFrom === startSample) return;
    this.toldFrom = startSample;
    // The light alone: a sound would cover what is being said.
    this.led?.show('heard');
  }

  event(name: string): void {
    if (name === 'wake') this.pushToTalk();
  }

  pushToTalk(): void {
    this.addressed = true;
    this.play('heard');
    this.show('heard', {});
  }

  heard(heard: Heard, context: Context): void {
    const { addressed } = this;
    this.addressed = false;
    if (heard.accepted) {
      this.play('accepted');
      this.show('accepted', intentPayload(heard, context));
    } else if (addressed || !isTalk(heard)) {
      this.play('refused');
      this.show('refused', rejectedPayload(heard, context));
    } else this.led?.show('dark');
  }

  async close(): Promise<void> {
    await Promise.all([this.sounds?.close(), this.program?.close(), this.led?.close()]);
  }

  private play(signal: Signal): void {
    const { sounds } = this.house.config().feedback;
    if (signal === 'heard' && sounds !== 'all') return;
    this.sounds?.give(this.files[signal]);
  }

  private show(signal: Signal, data: Readonly<Record<string, unknown>>): void {
    this.led?.show(signal);
    this.program?.give(`${JSON.stringify({ event: signal, ...data })}\n`);
  }

  /** Said when it begins to fail, or fails in another way. */
  private ended(what: string, why: string | null): void {
    const before = this.faults.get(what);
    if (why === null) this.faults.delete(what);
    else this.faults.set(what, why);
    if (why !== null && why !== before)
      this.house.log.warn(
        { event: 'feedback.failed', what, why },
        'whoever speaks is not told; hearing goes on',
      );
  }
}

/** People who talk to each other want no answer. */
function isTalk({ reason }: Heard): boolean {
  return reason === 'not-a-command' || reason === 'noise';
}
