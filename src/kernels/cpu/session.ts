/**
 * One onnxruntime session, set up for equal bits: one thread, no graph optimisation (it changes results with the
 * outputs asked), no memory pattern (it grows without bound when row counts vary).
 */
import { NOT_COPIED } from './onnx_graph.ts';
import { InferenceSession, type OrtTensor } from './onnxruntime.ts';

export interface Session {
  /** Runs with outputs written to `fetches`. */
  run(feeds: Readonly<Record<string, OrtTensor>>, fetches: Readonly<Record<string, OrtTensor>>): Promise<void>;
  release(): Promise<void>;
}

/**
 * When a run is over, the library's binding for Node.js copies each output, in order, to a buffer of its own, though it
 * was written where it belongs: half a millisecond for 2 MiB, and a fifth of a training step. It throws at the first
 * that is no tensor, and the first output of our models is none: this refusal is how a run that went well ends. A version
 * that takes sequences would end it in the usual way, with the copies (docs/decisions/0018).
 */
const isRefusal = (error: unknown): boolean => error instanceof Error && error.message.startsWith('Non tensor type');

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
    run: async (feeds, fetches) => {
      try {
        await session.run(feeds, { [NOT_COPIED]: null, ...fetches });
      } catch (error) {
        if (!isRefusal(error)) throw error;
      }
    },
    release: () => session.release(),
  };
}
