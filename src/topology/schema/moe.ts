/**
 * Mixture of experts: how many, how tokens choose them, and what an expert may take. Only for architectures that have
 * experts; the names and defaults are those of the Switch Transformers paper (arXiv 2101.03961).
 */
import { z } from 'zod';
import { choice, fraction32, notNegative32, positive, whole } from './kinds.ts';

export const moeSchema = z.strictObject({
  num_experts: whole(2, { most: 65_536, because: 'each is an actor, with a vote in every step' })
    .default(8)
    .describe('Experts of each mixture-of-experts layer.'),
  top_k: whole(1).default(1).describe('Experts that each token visits.'),
  every_n_layers: whole(1)
    .default(2)
    .describe('Every n-th feed-forward network is a mixture: 2 makes layers 1, 3, 5 ... sparse (counted from 0).'),
  capacity_factor: positive()
    .default(1.25)
    .describe('Slots of an expert, as a multiple of its fair share of a microbatch, while training.'),
  eval_capacity_factor: positive().default(2).describe('The same while evaluating and generating.'),
  min_capacity: whole(0).default(4).describe('Fewest slots that an expert has, in tokens.'),
  overflow: choice(['drop'], ['spill', 'dropless'])
    .default('drop')
    .describe('What becomes of a token past capacity. `drop`: it passes by on the residual only.'),
  score_order: choice(['pre_softmax'], ['post_softmax'])
    .default('pre_softmax')
    .describe('When gates are made. `pre_softmax`: softmax over all experts, then top-k, not renormalised.'),
  aux_loss_coef: notNegative32().default(0.01).describe('Weight of the load-balancing loss.'),
  z_loss_coef: notNegative32().default(0).describe('Weight of the router z-loss (mean squared log-sum-exp of logits).'),
  jitter_eps: fraction32('spread')
    .default(0.01)
    .describe('Router input is multiplied by U(1 - eps, 1 + eps) while training.'),
  router_dtype: choice(['fp32']).default('fp32').describe('Precision of the router.'),
  dispatch_dtype: choice(['bf16', 'fp32'])
    .default('bf16')
    .describe('Precision to which rows are rounded on their way to experts and back, gradients too.'),
});
