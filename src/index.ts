/// <reference types="node" preserve="true" />
/**
 * What a program that uses Troupe as a library may import: the actor runtime, the topology file, the kernels, and the
 * training run itself.
 */
export * from './runtime/index.ts';
export * from './topology/index.ts';
export * as kernels from './kernels/index.ts';
export { launch, type LaunchOptions } from './run/launch.ts';
export { generate } from './run/generate.ts';
export { openModel } from './run/open_model.ts';
export type { ContinueOptions, GeneratedToken, OpenedModel, OpenModelOptions } from './run/open_model.ts';
export type { Tokenizer } from './data/index.ts';
export type { StepMetrics } from './telemetry/index.ts';
export type { GenerateOptions, RunEvent, RunOutcome } from './run/run_port.ts';
export type { FeedForward, Mixer, Ops, SequenceShape, Sublayers } from './models/sublayer.ts';
export type { Family, FamilyKit, FamilyParts } from './models/families/family.ts';
export type { LayerShape, ModelConfig } from './models/config.ts';
export type { Head, HeadParts, Objective } from './models/objectives/objective.ts';
export type { TraceSettings } from './models/trace_settings.ts';
export type { Layer, Mixture, Model, Stack, Step } from './models/model.ts';
export type { Parameter, ParameterMakers } from './models/parameter.ts';
