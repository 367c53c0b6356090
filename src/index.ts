/**
 * What a program that uses Troupe as a library may import: the actor runtime, the topology file, the kernels, and the
 * training run itself.
 */
export * from './runtime/index.ts';
export * from './topology/index.ts';
export * as kernels from './kernels/index.ts';
export { run } from './actors/run.ts';
export { generate } from './actors/generate.ts';
export type { StepMetrics } from './telemetry/index.ts';
export type { GenerateOptions, RunEvent, RunOptions, RunOutcome } from './actors/run_port.ts';
