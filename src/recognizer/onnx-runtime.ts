import { KikitoriError, messageOf } from '../runtime/errors.js';

export type OnnxRuntime = typeof import('onnxruntime-node');

/**
 * From 1.30 on it keeps a device id and sends its maker an event for each session, on Linux too. It looks for this when it
 * is loaded. No event of any kind leaves a board but over its own broker.
 */
const noTelemetry = 'ORT_DISABLE_TELEMETRY';

/** ONNX Runtime is loaded when a network is needed, never by commands that need none. */
export async function loadOnnxRuntime(): Promise<OnnxRuntime> {
  process.env[noTelemetry] = '1';
  try {
    const loaded = (await import('onnxruntime-node')) as OnnxRuntime & { default?: OnnxRuntime };
    return loaded.default ?? loaded;
  } catch (error) {
    throw new KikitoriError(`ONNX Runtime does not load: ${messageOf(error)}`, {
      kind: 'device',
      where: `${process.platform}/${process.arch}`,
      expected: 'linux on arm64 or x64 with glibc 2.28 or newer',
      hint: '32-bit ARM is not supported',
      cause: error,
    });
  }
}
