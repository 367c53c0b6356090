/**
 * The plan: what a run costs, by arithmetic alone. Parameters by part, FLOPs of a token, the capacity
 * of an expert. What crosses between workers is in `traffic.ts`; memory is not here, since programs have to be made to
 * measure it.
 */
import type { ModelSizes } from './model_sizes.ts';

/** Parameters by part; `active` are those that one token passes through. */
export interface ParameterCount {
  readonly embedding: number;
  /** What mixes the tokens of a sequence: attention, or what stands in its place. */
  readonly mixers: number;
  readonly denseFfn: number;
  readonly router: number;
  readonly experts: number;
  readonly norms: number;
  readonly head: number;
  readonly total: number;
  readonly active: number;
}

/** Counts parameters: untied head, two RMSNorms a layer and a final one. */
export function countParameters(sizes: ModelSizes): ParameterCount {
  const sparse = sizes.moeLayers.length;
  const ffn = sizes.feedForward.parameters;
  const parts = {
    embedding: sizes.vocabulary * sizes.hidden,
    mixers: sizes.layers * sizes.mixer.parameters,
    denseFfn: (sizes.layers - sparse) * ffn,
    router: sparse * sizes.hidden * sizes.experts,
    experts: sparse * sizes.experts * ffn,
    norms: (2 * sizes.layers + 1) * sizes.hidden,
    head: sizes.vocabulary * sizes.hidden,
  };
  const total = Object.values(parts).reduce((sum, count) => sum + count, 0);
  const idle = sparse * (sizes.experts - sizes.topK) * ffn;
  return { ...parts, total, active: total - idle };
}

/** Forward and backward: training costs three times the forward pass. */
export const TRAINING_PASSES = 3;

/**
 * FLOPs of training on one token: three forward passes, a multiply-add counted as two, attention in full without
 * causal halving; routers and norms are not counted. The same definition reproduces NVIDIA's published MFU tables.
 */
export function flopsPerToken(sizes: ModelSizes): number {
  const dense = sizes.layers - sizes.moeLayers.length;
  const ffns = dense + sizes.moeLayers.length * sizes.topK;
  const layers = sizes.layers * sizes.mixer.flopsPerToken + ffns * sizes.feedForward.flopsPerToken;
  return TRAINING_PASSES * (layers + headFlops(sizes));
}

const headFlops = (sizes: ModelSizes): number => 2 * sizes.hidden * sizes.vocabulary;

/** Slots of one expert for a microbatch: `ceil(factor * tokens * topK / experts)`, at least `minCapacity`, at most all. */
export function expertCapacity(
  tokens: number,
  topK: number,
  experts: number,
  capacityFactor: number,
  minCapacity: number,
): number {
  // Rounded to 1e-9 first: a float's last bit must not add a slot.
  const share = Math.round(((capacityFactor * tokens * topK) / experts) * 1e9) / 1e9;
  return Math.min(tokens, Math.max(Math.ceil(share), minCapacity));
}
