/** Rules that concern mixtures of experts: what tokens may choose from, and among whom slots are given out. */
import { hasExperts } from './architectures.ts';
import { capacityOf } from './capacity.ts';
import { microbatchSequencesOf } from './mesh.ts';
import { problem, type Problem, type Rule } from './problem.ts';
import type { MoeSection, Topology } from './schema.ts';

/** A rule for whoever has experts. */
type MoeRule = (moe: MoeSection, topology: Topology) => Problem | null;

const enoughExperts: MoeRule = ({ top_k: k, num_experts: experts }) =>
  k > experts ? problem(`top_k ${k} exceeds num_experts ${experts}`, 'moe.top_k', 'moe.num_experts') : null;

const patternOfLayers: MoeRule = ({ every_n_layers: n }, { model: { layers } }) =>
  layers !== undefined && n > 1
    ? problem('model.layers says which layers are mixtures; remove it', 'moe.every_n_layers', 'model.layers')
    : null;

const someLayer: MoeRule = ({ every_n_layers: n }, { model }) =>
  model.layers === undefined && n > model.num_hidden_layers
    ? problem(
        `every_n_layers ${n} exceeds model.num_hidden_layers ${model.num_hidden_layers}, ` +
          'so that no layer would have experts',
        'moe.every_n_layers',
        'model.num_hidden_layers',
      )
    : null;

const equalGroups: MoeRule = ({ num_experts: experts }, { parallelism: { expert_parallel: groups } }) =>
  experts % groups !== 0
    ? problem(
        `moe.num_experts ${experts} cannot be divided into expert_parallel ${groups} equal groups`,
        'parallelism.expert_parallel',
        'moe.num_experts',
      )
    : null;

/** Experts that a token chooses from. */
const choosable = ({ num_experts: experts, num_expert_groups: groups, num_limited_groups: most }: MoeSection): number =>
  (experts / groups) * most;

const limitedChoice: MoeRule = (moe) => {
  const { num_experts: experts, num_expert_groups: groups, num_limited_groups: most, top_k: k } = moe;
  if (experts % groups !== 0 || (groups > 1 && experts / groups < 2)) {
    return problem(
      `num_experts ${experts} cannot be divided into num_expert_groups ${groups} equal groups of two experts or more`,
      'moe.num_expert_groups',
      'moe.num_experts',
    );
  }
  if (most > groups) {
    return problem(
      `num_limited_groups ${most} exceeds num_expert_groups ${groups}`,
      'moe.num_limited_groups',
      'moe.num_expert_groups',
    );
  }
  const left = choosable(moe);
  return k > left && k <= experts
    ? problem(
        `top_k ${k} exceeds the ${left} experts of num_limited_groups ${most}`,
        'moe.top_k',
        'moe.num_limited_groups',
        'moe.num_expert_groups',
      )
    : null;
};

const gatesOfLogits: MoeRule = ({ score_order: order, score_func: func }) =>
  order === 'topk_softmax' && func !== 'softmax'
    ? problem(
        `topk_softmax makes gates of logits, and score_func is ${func}; set score_order: pre_softmax`,
        'moe.score_order',
        'moe.score_func',
      )
    : null;

/** Mixtral with one expert a token is what its checkpoints may be: the router learns by its balance loss alone. */
const gatesThatLearn: MoeRule = ({ score_order: order, route_norm: normed, top_k: k }, { model }) => {
  if (k > 1 || (order === 'pre_softmax' && !normed) || model.architecture === 'mixtral') return null;
  const key = order === 'topk_softmax' ? 'score_order' : 'route_norm';
  return problem(
    `with top_k 1 it makes every gate 1, and the router learns nothing of the loss; ` +
      (key === 'score_order' ? 'set it to pre_softmax' : 'set it to false'),
    `moe.${key}`,
    'moe.top_k',
  );
};

const secondChoices: MoeRule = ({ second_choice: made, top_k: k }) =>
  made === 'random' && k < 2
    ? problem(`it is for top_k 2 or more, and top_k is ${k}; set it to always`, 'moe.second_choice', 'moe.top_k')
    : null;

const choicesToSpill: MoeRule = (moe) => {
  const { overflow, spill_choices: most, top_k: k, num_experts: experts } = moe;
  const left = choosable(moe);
  if (overflow !== 'spill' || k > experts || k > left) return null;
  if (most > experts) {
    return problem(`spill_choices ${most} exceeds num_experts ${experts}`, 'moe.spill_choices', 'moe.num_experts');
  }
  if (most > left) {
    return problem(
      `spill_choices ${most} exceeds the ${left} experts of num_limited_groups ${moe.num_limited_groups}`,
      'moe.spill_choices',
      'moe.num_limited_groups',
      'moe.num_expert_groups',
    );
  }
  return most <= k
    ? problem(
        `spill_choices ${most} with top_k ${k} leaves no other choice to spill to; raise it, or set overflow: drop`,
        'moe.spill_choices',
        'moe.top_k',
      )
    : null;
};

/** A record has choices, and not what they scored. */
const replayedByPosition: MoeRule = ({ replay, drop_order: order, second_choice: made }) => {
  if (replay === null) return null;
  if (order !== 'position') {
    return problem(
      `a record has no scores, and drop_order ${order} goes by them; set it to position`,
      'moe.drop_order',
      'moe.replay',
    );
  }
  return made === 'random'
    ? problem(
        'a record has no scores, and second choices at random go by them; set it to always',
        'moe.second_choice',
        'moe.replay',
      )
    : null;
};

const wholeGroups: MoeRule = ({ group_size: size }, topology) => {
  const tokens = microbatchSequencesOf(topology) * topology.training.sequence_length;
  return size !== undefined && Number.isInteger(tokens) && tokens % size !== 0
    ? problem(
        `group_size ${size} does not divide the ${tokens} tokens of a microbatch (training.global_batch_size x ` +
          'training.sequence_length / microbatches); set it to a divisor of them',
        'moe.group_size',
        'training.global_batch_size',
        'training.sequence_length',
      )
    : null;
};

const someSlots: MoeRule = (moe, topology) => {
  const tokens = microbatchSequencesOf(topology) * topology.training.sequence_length;
  for (const [isTraining, key] of [
    [true, 'capacity_factor'],
    [false, 'eval_capacity_factor'],
  ] as const) {
    if (tokens >= 1 && capacityOf(moe, tokens, isTraining).slots < 1) {
      return problem(
        `${key} ${moe[key]} of ${moe.group_size ?? tokens} tokens x top_k ${moe.top_k} / num_experts ${moe.num_experts} is a ` +
          `capacity of 0, so that every token would be dropped; raise it, or moe.min_capacity`,
        `moe.${key}`,
        'moe.min_capacity',
      );
    }
  }
  return null;
};

const rules: readonly MoeRule[] = [
  enoughExperts,
  patternOfLayers,
  someLayer,
  equalGroups,
  limitedChoice,
  gatesOfLogits,
  gatesThatLearn,
  secondChoices,
  choicesToSpill,
  replayedByPosition,
  wholeGroups,
  someSlots,
];

export const moeRules: readonly Rule[] = [
  ({ model, moe }) =>
    !hasExperts(model) && moe !== undefined
      ? problem(
          `${model.architecture} has no experts${model.layers === undefined ? '' : ' in model.layers'}; remove the section, ` +
            'or set model.architecture: switch',
          'moe',
        )
      : null,

  ({ model, moe, parallelism: { expert_parallel: groups } }) =>
    moe === undefined && groups > 1
      ? problem(
          `expert_parallel ${groups} needs experts, and ${model.architecture} has none; set it to 1`,
          'parallelism.expert_parallel',
          'model.architecture',
        )
      : null,

  ...rules.map(
    (rule): Rule =>
      (topology) =>
        topology.moe === undefined ? null : rule(topology.moe, topology),
  ),
];
