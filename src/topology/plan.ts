/**
 * The plan: what a run costs, by arithmetic alone. Parameters by part, FLOPs of a token and of each role, the capacity
 * of an expert. What crosses between workers is in `traffic.ts`; memory is not here, since programs have to be made to
 * measure it.
 */
import type { Mesh } from './mesh.ts';
import { attentionParameters, ffnParameters, type ModelSizes } from './model_sizes.ts';

/** Parameters by part; `active` are those that one token passes through. */
export interface ParameterCount {
  readonly embedding: number;
  readonly attention: number;
  readonly denseFfn: number;
  readonly router: number;
  readonly experts: number;
  readonly norms: number;
  readonly head: number;
  readonly total: number;
  readonly active: number;
}

/** Counts parameters: untied head, two RMSNorms a layer and a final one, no biases. */
export function countParameters(sizes: ModelSizes): ParameterCount {
  const sparse = sizes.moeLayers.length;
  const parts = {
    embedding: sizes.vocabulary * sizes.hidden,
    attention: sizes.layers * attentionParameters(sizes),
    denseFfn: (sizes.layers - sparse) * ffnParameters(sizes),
    router: sparse * sizes.hidden * sizes.experts,
    experts: sparse * sizes.experts * ffnParameters(sizes),
    norms: (2 * sizes.layers + 1) * sizes.hidden,
    head: sizes.vocabulary * sizes.hidden,
  };
  const total = Object.values(parts).reduce((sum, count) => sum + count, 0);
  const idle = sparse * (sizes.experts - sizes.topK) * ffnParameters(sizes);
  return { ...parts, total, active: total - idle };
}

/** Forward and backward: training costs three times the forward pass. */
const trainingPasses = 3;

/**
 * FLOPs of training on one token: three forward passes, a multiply-add counted as two, attention in full without
 * causal halving; routers and norms are not counted. The same definition reproduces NVIDIA's published MFU tables.
 */
export function flopsPerToken(sizes: ModelSizes, sequenceLength: number): number {
  const dense = sizes.layers - sizes.moeLayers.length;
  const ffns = dense + sizes.moeLayers.length * sizes.topK;
  const matrices = sizes.layers * attentionParameters(sizes) + ffns * ffnParameters(sizes);
  return trainingPasses * (2 * matrices + sizes.layers * scoreFlops(sizes, sequenceLength) + 2 * headMatrix(sizes));
}

/** FLOPs of a training step of each role, experts evenly loaded: what placement balances. */
export function flopsByRole(mesh: Mesh, sizes: ModelSizes, tokensPerStep: number, sequenceLength: number) {
  const flops = new Map<string, number>();
  const dataRanks = mesh.stages.filter((stage) => stage.isFirst).length;
  for (const stage of mesh.stages) {
    const dense = stage.layers.filter((layer) => !sizes.moeLayers.includes(layer)).length;
    const matrices = stage.layers.length * attentionParameters(sizes) + dense * ffnParameters(sizes);
    const perToken =
      2 * matrices +
      stage.layers.length * scoreFlops(sizes, sequenceLength) +
      (stage.isLast ? 2 * headMatrix(sizes) : 0);
    flops.set(stage.role, (trainingPasses * perToken * tokensPerStep) / dataRanks);
  }
  for (const group of mesh.expertGroups) {
    const rows = (tokensPerStep * sizes.topK * group.experts.length) / sizes.experts;
    flops.set(group.role, trainingPasses * 2 * ffnParameters(sizes) * rows);
  }
  return flops;
}

/** Attention scores and their product with the values, for one token of one layer. */
const scoreFlops = (sizes: ModelSizes, sequenceLength: number): number =>
  4 * sequenceLength * sizes.heads * sizes.headDim;

const headMatrix = (sizes: ModelSizes): number => sizes.hidden * sizes.vocabulary;

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
