import { reason } from './reasons.js';

/** MQTT 3.1.1 is version 4 of the protocol. */
export type ProtocolVersion = 4 | 5;

/** Of CONNACK in MQTT 3.1.1 (section 3.2.2.3): unacceptable protocol version. */
const unacceptableVersion = 1;

type Phase = 'newest' | 'trying' | 'confirming' | 'learned';

/**
 * Which MQTT is spoken when that is left open: 5, for only there a broker can say what it refuses. A broker that knows
 * 3.1.1 alone either says so or closes without a word, as one does that is just starting. So after a silence 3.1.1 is
 * tried; let in there, 5 is asked for once more, and 3.1.1 stays when that is met with silence again.
 */
export class ProtocolChoice {
  private phase: Phase = 'newest';
  /** What is to be spoken is found out, but not yet tried. */
  private untried = false;

  constructor(private readonly wanted: ProtocolVersion | 'auto') {}

  /** Of the next connection. */
  get version(): ProtocolVersion {
    if (this.wanted !== 'auto') return this.wanted;
    return this.phase === 'trying' || this.phase === 'learned' ? 4 : 5;
  }

  /** A question is open: the next attempt need not wait long, and says more. */
  get asking(): boolean {
    return this.phase === 'trying' || this.phase === 'confirming' || this.untried;
  }

  /** Let in. false: only to see whether it would be; leave and try again. */
  granted(): boolean {
    if (this.phase === 'trying') {
      this.phase = 'confirming';
      return false;
    }
    if (this.phase === 'confirming') this.begin();
    this.untried = false;
    return true;
  }

  /** The broker let nobody in; null: it closed without an answer. Whether that may have been for the version asked for. */
  refused(code: number | null): boolean {
    if (this.wanted !== 'auto') return false;
    const { version } = this;
    const forVersion = code === unacceptableVersion || code === reason.unsupportedVersion;
    if (version === 5 && (forVersion || (code === null && this.phase === 'confirming'))) {
      this.phase = 'learned';
      this.untried = true;
      return true;
    }
    this.untried = false;
    if (version === 5 && code === null) {
      this.phase = 'trying';
      return true;
    }
    // An answer in 3.1.1, be it to a wrong password, where 5 got none.
    if (this.phase === 'trying' && code !== null && !forVersion) {
      this.phase = 'confirming';
      return false;
    }
    if (this.phase !== 'learned' || forVersion || code === null) this.begin();
    return false;
  }

  /** Not reached: says nothing about what it speaks, and may be another when it is back. */
  absent(): void {
    if (this.phase !== 'learned') this.begin();
    this.untried = false;
  }

  /** From the newest again: brokers are renewed. */
  begin(): void {
    this.phase = 'newest';
    this.untried = false;
  }
}
