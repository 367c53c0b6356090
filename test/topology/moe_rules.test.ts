/** Rules of mixtures: the line that each says when it is broken, and what other projects call our keys. */
import { describe, expect, test } from 'vitest';
import { otherNames } from '../../src/topology/other_names.ts';
import { parseTopology } from '../../src/topology/index.ts';
import { nodeAt } from '../../src/topology/key_tree.ts';
import { messageOf } from './refusal.ts';

describe('a broken rule says which number does not fit and what to do', () => {
  test.each([
    ['{ top_k: 9 }', '1:15: moe.top_k: top_k 9 exceeds num_experts 8'],
    [
      '{ num_expert_groups: 3 }',
      '1:27: moe.num_expert_groups: num_experts 8 cannot be divided into num_expert_groups 3 equal groups of two experts or more',
    ],
    [
      '{ num_expert_groups: 8 }',
      '1:27: moe.num_expert_groups: num_experts 8 cannot be divided into num_expert_groups 8 equal groups of two experts or more',
    ],
    ['{ num_limited_groups: 2 }', '1:28: moe.num_limited_groups: num_limited_groups 2 exceeds num_expert_groups 1'],
    [
      '{ num_expert_groups: 4, num_limited_groups: 1, top_k: 3 }',
      '1:60: moe.top_k: top_k 3 exceeds the 2 experts of num_limited_groups 1',
    ],
    [
      '{ score_order: topk_softmax, score_func: sigmoid, top_k: 2 }',
      '1:21: moe.score_order: topk_softmax makes gates of logits, and score_func is sigmoid; set score_order: pre_softmax',
    ],
    [
      '{ score_order: topk_softmax }',
      '1:21: moe.score_order: with top_k 1 it makes every gate 1, and the router learns nothing of the loss; set it to pre_softmax',
    ],
    [
      '{ route_norm: true }',
      '1:20: moe.route_norm: with top_k 1 it makes every gate 1, and the router learns nothing of the loss; set it to false',
    ],
    [
      '{ second_choice: random }',
      '1:23: moe.second_choice: it is for top_k 2 or more, and top_k is 1; set it to always',
    ],
    [
      '{ overflow: spill, num_expert_groups: 4 }',
      '1:44: moe.spill_choices: spill_choices 4 exceeds the 2 experts of num_limited_groups 1',
    ],
    ['{ overflow: spill, spill_choices: 9 }', '1:40: moe.spill_choices: spill_choices 9 exceeds num_experts 8'],
    [
      '{ overflow: spill, spill_choices: 1 }',
      '1:40: moe.spill_choices: spill_choices 1 with top_k 1 leaves no other choice to spill to; raise it, or set overflow: drop',
    ],
    [
      '{ replay: routing, drop_order: probs }',
      '1:37: moe.drop_order: a record has no scores, and drop_order probs goes by them; set it to position',
    ],
    [
      '{ replay: routing, top_k: 2, second_choice: random }',
      '1:50: moe.second_choice: a record has no scores, and second choices at random go by them; set it to always',
    ],
    [
      '{ group_size: 100 }',
      '1:20: moe.group_size: group_size 100 does not divide the 4096 tokens of a microbatch ' +
        '(training.global_batch_size x training.sequence_length / microbatches); set it to a divisor of them',
    ],
    [
      '{ capacity_factor: 0.001, capacity_rounding: floor, min_capacity: 0 }',
      '1:25: moe.capacity_factor: capacity_factor 0.001 of 4096 tokens x top_k 1 / num_experts 8 is a capacity of 0, ' +
        'so that every token would be dropped; raise it, or moe.min_capacity',
    ],
    [
      '{ eval_capacity_factor: 0.001, capacity_rounding: floor, min_capacity: 0 }',
      '1:30: moe.eval_capacity_factor: eval_capacity_factor 0.001 of 4096 tokens x top_k 1 / num_experts 8 is a capacity of 0, ' +
        'so that every token would be dropped; raise it, or moe.min_capacity',
    ],
  ])('%s', (moe, message) => {
    expect(messageOf(`moe: ${moe}`)).toBe(`run.yaml:${message}`);
  });
});

test.each([
  '{ top_k: 8 }',
  '{ num_expert_groups: 4, num_limited_groups: 2, top_k: 4 }',
  '{ top_k: 2, route_norm: true, second_choice: random }',
  '{ top_k: 2, score_order: topk_softmax, overflow: dropless }',
  '{ overflow: spill, spill_choices: 8 }',
  '{ group_size: 1024, capacity_rounding: floor }',
])('moe: %s passes', (moe) => {
  expect(() => parseTopology(`moe: ${moe}`, 'run.yaml')).not.toThrow();
});

describe('names that other projects have', () => {
  test('lead to keys that there are', () => {
    for (const [, ours] of otherNames()) expect(nodeAt(ours.split('.')), ours).not.toBeNull();
  });

  test.each([
    ['moe: { num_local_experts: 8 }', 'moe.num_local_experts: unknown key; did you mean num_experts?'],
    ['moe: { num_experts_per_tok: 2 }', 'moe.num_experts_per_tok: unknown key; did you mean top_k?'],
    [
      'model: { router_aux_loss_coef: 0.1 }',
      'model.router_aux_loss_coef: unknown key; did you mean moe.aux_loss_coef?',
    ],
    ['num_experts_per_tok: 2', 'num_experts_per_tok: unknown key; did you mean moe.top_k?'],
  ])('%s', (text, message) => {
    expect(messageOf(text)).toContain(message);
  });
});
