declare module 'node-record-lpcm16' {
  import type { ChildProcess } from 'node:child_process';
  import type { Readable } from 'node:stream';

  export interface RecordingOptions {
    /** Name or path of a module that makes the command. */
    recorder: string;
    /** For that module. */
    program: 'arecord' | 'rec' | 'sox';
    audioType: 'raw' | 'wav';
    sampleRate: number;
    channels: number;
    device?: string;
  }
  export interface Recording {
    readonly process: ChildProcess;
    stream(): Readable;
  }
  const lpcm16: { record(options: RecordingOptions): Recording };
  export default lpcm16;
}
