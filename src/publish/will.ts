import { reason } from './reasons.js';

/** How much of MQTT is asked of a broker. */
export interface Service {
  readonly retain: boolean;
  readonly qos: 0 | 1;
}

/** So many connections in a row that end before an answer make one try with less. */
const silentMax = 2;

type Phase = 'wanted' | 'trying' | 'confirming' | 'learned';

/**
 * The last will goes with the first packet. A broker without retained messages or QoS 1 may refuse the connection for it.
 * MQTT 5 says why. In MQTT 3.1.1 the broker closes without a word, as one does that is just starting. So less is tried, and
 * then the full will again. The lesser will stays when it is let in and the full one is not.
 */
export class WillService {
  private phase: Phase = 'wanted';
  private silent = 0;
  private less = 0;
  private readonly lesser: readonly Service[];

  constructor(private readonly wanted: Service) {
    const { retain, qos } = wanted;
    const all: readonly Service[] = [
      { retain: false, qos },
      { retain, qos: 0 },
      { retain: false, qos: 0 },
    ];
    this.lesser = all.filter(
      (s, i) =>
        (s.retain !== retain || s.qos !== qos) &&
        all.findIndex((o) => o.retain === s.retain && o.qos === s.qos) === i,
    );
  }

  /** What the next connection asks for. */
  get service(): Service {
    const lesser = this.lesser[this.less];
    return (this.phase === 'trying' || this.phase === 'learned') && lesser !== undefined
      ? lesser
      : this.wanted;
  }

  /** A question is open: the next attempt need not wait long. */
  get asking(): boolean {
    return this.phase === 'trying' || this.phase === 'confirming';
  }

  /** Something is known, or being found out, that the broker does not take. */
  get asksLess(): boolean {
    return this.phase !== 'wanted';
  }

  /** Let in. false: only to see whether it would be; leave and try again. */
  granted(): boolean {
    if (this.phase === 'trying') {
      this.phase = 'confirming';
      return false;
    }
    if (this.phase === 'confirming') this.begin();
    this.silent = 0;
    return true;
  }

  /** The broker was there and let nobody in; null: it closed without an answer. */
  refused(code: number | null): void {
    if (code === reason.retainNotSupported) this.learn({ ...this.service, retain: false });
    else if (code === reason.qosNotSupported) this.learn({ ...this.service, qos: 0 });
    else if (code !== null) this.begin();
    else if (this.phase === 'confirming') this.phase = 'learned';
    else if (this.phase === 'learned') this.begin();
    else if (this.phase === 'wanted') {
      if (++this.silent >= silentMax && this.lesser.length > 0) {
        this.phase = 'trying';
        this.less = 0;
      }
    } else if (++this.less >= this.lesser.length) this.begin();
  }

  /** Not reached: says nothing about what it takes. */
  absent(): void {
    if (this.phase === 'wanted') this.silent = 0;
  }

  /** From the full will again: brokers are mended. */
  begin(): void {
    this.phase = 'wanted';
    this.silent = 0;
  }

  private learn(service: Service): void {
    const index = this.lesser.findIndex(
      (s) => s.retain === service.retain && s.qos === service.qos,
    );
    if (index < 0) return this.begin();
    this.less = index;
    this.phase = 'learned';
  }
}
