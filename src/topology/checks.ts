/**
 * Rules that concern several keys, applied to a file that passed the schema. Each is a pure function from the topology
 * to a problem or null; a message names every key that has a part in it, with its number.
 */
import { blendRules } from './blend_rules.ts';
import { dataRules } from './data_rules.ts';
import { decaySteps } from './decay_steps.ts';
import { evaluationRules } from './evaluation_rules.ts';
import { modelRules } from './model_rules.ts';
import { moeRules } from './moe_rules.ts';
import { problem, type Problem, type Rule } from './problem.ts';
import type { Topology } from './schema.ts';
import { sizeLimits } from './size_limits.ts';

/** Every rule that the topology breaks, in the order of the sections. */
export function checkTopology(topology: Topology): Problem[] {
  return [...modelRules, ...rules, ...moeRules, ...dataRules, ...blendRules, ...evaluationRules, ...sizeLimits].flatMap(
    (rule) => rule(topology) ?? [],
  );
}

const rules: readonly Rule[] = [
  ({ training: { global_batch_size: batch }, parallelism: { data_parallel: ranks, micro_batches: each } }) =>
    batch % (ranks * each) !== 0
      ? problem(
          `global_batch_size ${batch} is not divisible by parallelism.data_parallel ${ranks} x ` +
            `parallelism.micro_batches ${each} = ${ranks * each}`,
          'training.global_batch_size',
          'parallelism.data_parallel',
          'parallelism.micro_batches',
        )
      : null,

  ({ optimizer, training }) =>
    optimizer.warmup_steps >= training.steps
      ? problem(
          `warmup_steps ${optimizer.warmup_steps} must be less than training.steps ${training.steps}; ` +
            'lower it, for example --set optimizer.warmup_steps=0',
          'optimizer.warmup_steps',
          'training.steps',
        )
      : null,

  ({ cluster: { nodes, nats } }) =>
    nodes > 1 && nats.url === 'none'
      ? problem(
          `none runs in one process, but cluster.nodes is ${nodes}; set it to auto, or cluster.nodes to 1`,
          'cluster.nats.url',
          'cluster.nodes',
        )
      : null,

  ({ cluster: { device, nodes } }) =>
    typeof device !== 'string' && device.length !== nodes
      ? problem(
          `a list of ${device.length} for cluster.nodes ${nodes}; give one entry for each node, or one device for all`,
          'cluster.device',
          'cluster.nodes',
        )
      : null,

  ({ cluster: { device, workers_per_node: workers } }) => {
    if (typeof device === 'string') return null;
    const wrong = device.findIndex((ofNode) => typeof ofNode !== 'string' && ofNode.length !== workers);
    return wrong < 0
      ? null
      : problem(
          `a list of ${device[wrong].length} for cluster.workers_per_node ${workers}; give one entry for each worker, or one device for the node`,
          `cluster.device.${wrong}`,
          'cluster.workers_per_node',
        );
  },

  ({ cluster: { nats } }) =>
    nats.token_file !== undefined && (nats.url === 'auto' || nats.url === 'none')
      ? problem(
          `it is for a server at an address, but cluster.nats.url is ${nats.url}; remove it`,
          'cluster.nats.token_file',
          'cluster.nats.url',
        )
      : null,

  ({ cluster: { nats } }) =>
    nats.port !== undefined && nats.url !== 'auto'
      ? problem(
          `it is for a server that is started here, but cluster.nats.url is ${nats.url}; remove it`,
          'cluster.nats.port',
          'cluster.nats.url',
        )
      : null,

  ({ optimizer, training }) => {
    const [warmup, decay] = [optimizer.warmup_steps, decaySteps(optimizer, training.steps)];
    const said = optimizer.decay_steps === undefined ? ', a tenth of the steps,' : '';
    return optimizer.schedule === 'wsd' && warmup < training.steps && warmup + decay > training.steps
      ? problem(
          `decay_steps ${decay}${said} and warmup_steps ${warmup} exceed training.steps ${training.steps}; lower one of them`,
          'optimizer.decay_steps',
          'optimizer.warmup_steps',
          'training.steps',
        )
      : null;
  },

  ({ optimizer: { schedule, decay_steps: steps } }) =>
    steps !== undefined && schedule !== 'wsd'
      ? problem(
          `it is for schedule wsd, but optimizer.schedule is ${schedule}; remove it`,
          'optimizer.decay_steps',
          'optimizer.schedule',
        )
      : null,

  ({ optimizer }) =>
    optimizer.schedule !== 'constant' && optimizer.min_lr > optimizer.lr
      ? problem(`min_lr ${optimizer.min_lr} exceeds lr ${optimizer.lr}`, 'optimizer.min_lr', 'optimizer.lr')
      : null,
];
