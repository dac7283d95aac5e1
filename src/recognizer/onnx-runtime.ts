import { KikitoriError, messageOf } from '../runtime/errors.js';

export type OnnxRuntime = typeof import('onnxruntime-node');

/** ONNX Runtime is loaded when a network is needed, never by commands that need none. */
export async function loadOnnxRuntime(): Promise<OnnxRuntime> {
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
