/**
 * How large a run may be, where several keys have a part in it: as many actors as are planned in seconds, as many rows as
 * are numbered in 32 bits, as many sequences as a double counts. Each rule says its arithmetic, its limit and which key to
 * lower. How much memory a run may take is no matter of the file: the plan says what it takes, and the device what it has.
 */
import { mixturesOfLayer } from './architectures.ts';
import { problem, type Rule } from './problem.ts';

/** Workers of all nodes. */
const mostWorkers = 8192;
/** Stage ranks: replicas of all pipeline stages. */
const mostRanks = 8192;
/** Pairs of actors that send each other tensors in a step. */
const mostPairs = 2 ** 22;
/** Microbatches of a step, over all replicas. */
const mostMicrobatches = 65_536;
/** Tokens of a microbatch. */
const mostTokens = 2 ** 24;
/** Experts of all layers. */
const mostExperts = 65_536;
const mostRows = 2 ** 31 - 1;

export const sizeLimits: readonly Rule[] = [
  ({ cluster: { nodes, workers_per_node: each } }) =>
    nodes * each > mostWorkers
      ? problem(
          `nodes ${nodes} x workers_per_node ${each} = ${nodes * each} workers, more than ${mostWorkers}; lower one of them`,
          'cluster.workers_per_node',
          'cluster.nodes',
        )
      : null,

  ({ parallelism: { data_parallel: replicas, pipeline_parallel: stages } }) =>
    replicas * stages > mostRanks
      ? problem(
          `data_parallel ${replicas} x pipeline_parallel ${stages} = ${replicas * stages} stage ranks, more than ${mostRanks}; ` +
            'lower one of them',
          'parallelism.data_parallel',
          'parallelism.pipeline_parallel',
        )
      : null,

  ({ parallelism: { data_parallel: replicas, pipeline_parallel: stages } }) =>
    replicas * replicas * stages > mostPairs
      ? problem(
          `data_parallel ${replicas} x ${replicas} x pipeline_parallel ${stages} = ${replicas * replicas * stages} pairs of ` +
            `replicas that send each other gradients, more than ${mostPairs}; lower data_parallel`,
          'parallelism.data_parallel',
          'parallelism.pipeline_parallel',
        )
      : null,

  ({ parallelism: { data_parallel: replicas, micro_batches: each } }) =>
    replicas * each > mostMicrobatches
      ? problem(
          `data_parallel ${replicas} x micro_batches ${each} = ${replicas * each} microbatches a step, each of them reported ` +
            `on its own, more than ${mostMicrobatches}; lower parallelism.micro_batches`,
          'parallelism.micro_batches',
          'parallelism.data_parallel',
        )
      : null,

  ({ training: { global_batch_size: batch, sequence_length: tokens }, parallelism, model }) => {
    const microbatches = parallelism.data_parallel * parallelism.micro_batches;
    const each = Math.floor(batch / microbatches);
    return each * tokens > mostTokens
      ? problem(
          `global_batch_size ${batch} / ${microbatches} microbatches = ${each} sequences x sequence_length ${tokens} = ` +
            `${each * tokens} tokens a microbatch, more than ${mostTokens}; each tensor of them has x hidden_size ` +
            `${model.hidden_size} x 4 = ${each * tokens * model.hidden_size * 4} bytes; lower training.global_batch_size, ` +
            'or raise parallelism.micro_batches',
          'training.global_batch_size',
          'training.sequence_length',
          'parallelism.micro_batches',
        )
      : null;
  },

  ({ moe, training: { global_batch_size: batch, sequence_length: tokens }, parallelism }) => {
    if (moe === undefined) return null;
    const each = Math.floor(batch / (parallelism.data_parallel * parallelism.micro_batches)) * tokens;
    return each <= mostTokens && each * moe.top_k > mostRows
      ? problem(
          `top_k ${moe.top_k} x ${each} tokens a microbatch = ${each * moe.top_k} rows to experts, more than ${mostRows}, ` +
            'which is what 32 bits number; lower moe.top_k, or raise parallelism.micro_batches',
          'moe.top_k',
          'parallelism.micro_batches',
        )
      : null;
  },

  (topology) => {
    const { moe, model } = topology;
    if (moe === undefined) return null;
    const sparse = mixturesIn(topology);
    const { num_hidden_layers: count, layers } = model;
    const origin =
      layers === undefined ? `num_hidden_layers ${count} / every_n_layers ${moe.every_n_layers}` : 'model.layers';
    return moe.num_experts * sparse > mostExperts
      ? problem(
          `num_experts ${moe.num_experts} x ${sparse} mixtures (${origin}) = ${moe.num_experts * sparse} experts, each an actor ` +
            `with a slice of its own, more than ${mostExperts}; lower moe.num_experts`,
          'moe.num_experts',
          'model.num_hidden_layers',
          'moe.every_n_layers',
        )
      : null;
  },

  (topology) => {
    const { data_parallel: replicas, expert_parallel: groups } = topology.parallelism;
    const sparse = mixturesIn(topology);
    return replicas * sparse * groups > mostPairs
      ? problem(
          `data_parallel ${replicas} x ${sparse} layers of experts x expert_parallel ${groups} = ${replicas * sparse * groups} ` +
            `pairs of a router and a group, more than ${mostPairs}; lower expert_parallel`,
          'parallelism.expert_parallel',
          'parallelism.data_parallel',
        )
      : null;
  },

  ({ training: { steps, global_batch_size: batch } }) =>
    steps * batch > Number.MAX_SAFE_INTEGER
      ? problem(
          `steps ${steps} x global_batch_size ${batch} = ${steps * batch} sequences, more than 2^53 - 1, which is what they ` +
            'are counted to; lower training.steps',
          'training.steps',
          'training.global_batch_size',
        )
      : null,
];

/** Mixtures of all layers. */
function mixturesIn({ moe, model: { layers, num_hidden_layers: count } }: Parameters<Rule>[0]): number {
  if (moe === undefined) return 0;
  if (layers === undefined) return Math.floor(count / moe.every_n_layers);
  const ofPattern = layers.reduce((sum, layer) => sum + mixturesOfLayer(layer), 0);
  return Math.floor((count / layers.length) * ofPattern);
}
