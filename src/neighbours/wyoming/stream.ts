/** The audio of one client on its way to whoever hears it: header off, converted, in pieces of a network step. */
import { chunkMs } from '../../audio/index.js';
import type { Listening } from './ears.js';
import { formatFault, PcmStream, type AudioFormat } from './pcm.js';
import { WavHead } from './wav-head.js';

/** Audio that cannot be heard. */
export class AudioError extends Error {}

export class AudioStream<T> {
  private readonly head = new WavHead();
  private pcm: PcmStream | null = null;

  constructor(private readonly listening: Listening<T>) {}

  /** As many bytes as came of a chunk; `said` is what its event says of them. */
  async *feed(bytes: Buffer, said: AudioFormat): AsyncGenerator<T> {
    const audio = this.head.feed(bytes);
    if (audio.bytes.length > 0) yield* this.hear(audio.bytes, audio.format ?? said);
  }

  async *stop(said: AudioFormat): AsyncGenerator<T> {
    const rest = this.head.finish();
    if (rest.length > 0) yield* this.hear(rest, said);
    const tail = this.pcm?.finish();
    if (tail !== undefined && tail.length > 0) yield* some(await this.listening.feed(tail));
    yield* some(await this.listening.stop());
  }

  private async *hear(bytes: Buffer, format: AudioFormat): AsyncGenerator<T> {
    const pcm = this.pcmOf(format);
    const size = pcm.bytesOf(chunkMs);
    for (let at = 0; at < bytes.length; at += size) {
      const samples = pcm.feed(bytes.subarray(at, at + size));
      if (samples.length > 0) yield* some(await this.listening.feed(samples));
    }
  }

  private pcmOf(format: AudioFormat): PcmStream {
    const { pcm } = this;
    const same = (key: keyof AudioFormat) => pcm?.format[key] === format[key];
    if (pcm !== null && same('rateHz') && same('width') && same('channels') && same('unsigned'))
      return pcm;
    const fault = formatFault(format);
    if (fault !== undefined) throw new AudioError(fault);
    return (this.pcm = new PcmStream(format, this.listening.rateHz));
  }
}

function* some<T>(value: T | null): Generator<T> {
  if (value !== null) yield value;
}
