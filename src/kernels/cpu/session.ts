/**
 * One onnxruntime session, set up for equal bits: one thread, no graph optimisation (it changes results with the
 * outputs asked), no memory pattern (it grows without bound when row counts vary).
 */
import { InferenceSession, type OrtTensor } from './onnxruntime.ts';

export interface Session {
  /** Runs with outputs written to `fetches`. */
  run(feeds: Readonly<Record<string, OrtTensor>>, fetches: Readonly<Record<string, OrtTensor>>): Promise<unknown>;
  release(): Promise<void>;
}

export async function createSession(model: Uint8Array): Promise<Session> {
  return await InferenceSession.create(model, {
    executionProviders: ['cpu'],
    executionMode: 'sequential',
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    graphOptimizationLevel: 'disabled',
    enableMemPattern: false,
    enableCpuMemArena: true,
    logSeverityLevel: 3,
  });
}
