/**
 * One onnxruntime session, set up for equal bits: one thread, no graph optimisation (it changes results with the
 * outputs asked), no memory pattern (it grows without bound when row counts vary).
 */
import { InferenceSession, type OrtTensor } from './onnxruntime.ts';

export interface Session {
  /** Runs with outputs written to `fetches`. */
  run(feeds: Readonly<Record<string, OrtTensor>>, fetches: Readonly<Record<string, OrtTensor>>): Promise<void>;
  release(): Promise<void>;
}

export async function createSession(model: Uint8Array): Promise<Session> {
  const session = await InferenceSession.create(model, {
    executionProviders: ['cpu'],
    executionMode: 'sequential',
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    graphOptimizationLevel: 'disabled',
    enableMemPattern: false,
    enableCpuMemArena: true,
    logSeverityLevel: 3,
  });
  return {
    run: async (feeds, fetches) => letGo(await session.run(feeds, fetches)),
    release: () => session.release(),
  };
}

/**
 * The library returns a copy of each output beside the one that it writes where it is told to. Left to the garbage
 * collector these are some 150 MB a step of a small model, and a collection of the whole heap for every 64 MB of them.
 */
function letGo(copies: InferenceSession.ReturnType): void {
  for (const { data } of Object.values(copies)) {
    const buffer = ArrayBuffer.isView(data) ? data.buffer : null;
    // What is shared is ours.
    if (buffer instanceof ArrayBuffer) buffer.transfer(0);
  }
}
