/**
 * The plan: what a run costs, by arithmetic alone. Parameters by part, bytes of each slice, FLOPs of a token and of each
 * role, bytes of token dispatch. Scratch is not here; it is measured when programs are compiled.
 */
import type { Mesh } from './mesh.ts';
import { attentionParameters, ffnParameters, type ModelSizes } from './model_sizes.ts';
import type { Topology } from './schema.ts';

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

/** Parameter, gradient and two moments, all fp32. */
const bytesPerParameter = 4 * 4;

/** Bytes of each role's slice without scratch: parameters, gradients and both moments in fp32. */
export function sliceBytes(mesh: Mesh, sizes: ModelSizes): Map<string, number> {
  const bytes = new Map<string, number>();
  for (const stage of mesh.stages) {
    const sparse = stage.layers.filter((layer) => sizes.moeLayers.includes(layer)).length;
    const layers =
      stage.layers.length * (attentionParameters(sizes) + 2 * sizes.hidden) +
      (stage.layers.length - sparse) * ffnParameters(sizes) +
      sparse * sizes.hidden * sizes.experts;
    const embedding = stage.isFirst ? sizes.vocabulary * sizes.hidden : 0;
    const head = stage.isLast ? sizes.vocabulary * sizes.hidden + sizes.hidden : 0;
    bytes.set(stage.role, (embedding + layers + head) * bytesPerParameter);
  }
  for (const group of mesh.expertGroups) {
    bytes.set(group.role, group.experts.length * ffnParameters(sizes) * bytesPerParameter);
  }
  return bytes;
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

/** Rows to the experts, rows back, and the gradients of both. */
const crossings = 4;

/**
 * Most bytes of token dispatch in a training step: four crossings of every kept (token, expert) pair, over all
 * mixture-of-experts layers, whether or not they leave their worker.
 */
export function dispatchBytesPerStep(topology: Topology, mesh: Mesh): number {
  const { moe, training, model } = topology;
  if (moe === undefined) return 0;
  const tokens = mesh.microbatchSequences * training.sequence_length;
  const capacity = expertCapacity(tokens, moe.top_k, moe.num_experts, moe.capacity_factor, moe.min_capacity);
  const rows = mesh.globalMicrobatches * Math.min(tokens * moe.top_k, moe.num_experts * capacity);
  const bytesPerElement = moe.dispatch_dtype === 'bf16' ? 2 : 4;
  return mesh.moeLayers.length * crossings * rows * model.hidden_size * bytesPerElement;
}
