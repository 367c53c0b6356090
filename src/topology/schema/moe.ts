/**
 * Mixture of experts: how many, how tokens choose them, and what an expert may take. Only for architectures that have
 * experts; defaults are those of the Switch Transformers paper (arXiv 2101.03961).
 */
import { z } from 'zod';
import { byteSize, choice, fraction32, notNegative32, positive, positive32, whole } from './kinds.ts';

const folder = () => z.string().min(1).nullable().meta({ allowed: 'the path of a folder, or null' }).default(null);

export const moeSchema = z.strictObject({
  num_experts: whole(2, { most: 65_536, because: 'each is an actor, with a slice of its own' })
    .default(8)
    .describe('Experts of each mixture-of-experts layer.'),
  top_k: whole(1).default(1).describe('Experts that each token visits.'),
  num_shared_experts: whole(0, { most: 1024, because: 'they are one network of so many times the width' })
    .default(0)
    .describe(
      'Experts that every token visits beside those it chooses: one network of as many times the width (arXiv 2401.06066 §3.2).',
    ),
  every_n_layers: whole(1)
    .default(2)
    .describe('Every n-th feed-forward network is a mixture: 2 makes layers 1, 3, 5 ... sparse (counted from 0).'),
  score_func: choice(['softmax', 'sigmoid'])
    .default('softmax')
    .describe('What makes scores of logits. `sigmoid`: each expert by itself (arXiv 2412.19437 eq. 15).'),
  score_order: choice(['pre_softmax', 'topk_softmax'])
    .default('pre_softmax')
    .describe(
      'When gates are made. `pre_softmax`: scores over all experts, then top-k (arXiv 2101.03961 eq. 2). `topk_softmax`: softmax over the k chosen logits (arXiv 2401.04088 §2.1).',
    ),
  route_norm: z.boolean().default(false).describe("Whether a token's gates are divided by their sum."),
  route_scale: positive32().default(1).describe('What gates are multiplied by.'),
  num_expert_groups: whole(1)
    .default(1)
    .describe('Groups of experts that the choice may be limited to (arXiv 2412.19437 §2.1.2).'),
  num_limited_groups: whole(1)
    .default(1)
    .describe('Of these, how many a token chooses from: those whose two best scores add up to most.'),
  capacity_factor: positive()
    .default(1.25)
    .describe('Slots of an expert, as a multiple of its fair share of a group of tokens, while training.'),
  eval_capacity_factor: positive().default(2).describe('The same while evaluating and generating.'),
  capacity_rounding: choice(['ceil', 'floor'])
    .default('ceil')
    .describe('How a share of slots that is no whole number is rounded. `floor` is what the code of the paper does.'),
  min_capacity: whole(0).default(4).describe('Fewest slots that an expert has of a group, in tokens.'),
  group_size: whole(1)
    .optional()
    .describe(
      'Tokens among which slots are given out. Default: those of a microbatch; the code of the paper has 1024.',
    ),
  drop_order: choice(['position', 'probs', 'batch_prioritized'])
    .default('position')
    .describe(
      'Who gets slots that are short. `position`: first choices before second ones, each in the order of tokens. `probs`: the highest scores of an expert. `batch_prioritized`: as position, tokens by their best score (arXiv 2106.05974 §4).',
    ),
  second_choice: choice(['always', 'random'])
    .default('always')
    .describe(
      'Whether choices after the first are made. `random`: with probability gate / 0.2, while training (Mesh TensorFlow; arXiv 2006.16668 §2.2 has 2 · gate). One left out counts where gates are divided by their sum.',
    ),
  overflow: choice(['drop', 'spill', 'dropless'])
    .default('drop')
    .describe(
      'What becomes of a token past capacity. `drop`: it passes by on the residual only. `spill`: it tries its next choices (arXiv 2101.03961 appendix B). `dropless`: there is no capacity.',
    ),
  spill_choices: whole(1)
    .default(4)
    .describe('Choices that a token tries, the first included, where overflow is spill.'),
  credit_bytes: byteSize()
    .default(256 * 2 ** 20)
    .describe(
      'Most bytes that a router has under way to one expert group; what is more waits. One dispatch always may.',
    ),
  load_balance_coeff: notNegative32()
    .default(0)
    .describe(
      'Step of the biases that balance experts without a loss (arXiv 2408.15664); 0: there are none. They are added to scores for the choice, never to gates.',
    ),
  aux_loss: choice(['local', 'sequence', 'global'])
    .default('local')
    .describe(
      'Over what experts are to be loaded evenly: `local`, the tokens of a microbatch; `sequence`, each sequence; `global`, those of the whole step, for which all microbatches go forward before the first goes back (memory for all of them).',
    ),
  aux_loss_choices: choice(['first', 'all'])
    .default('first')
    .describe('What counts as load: first choices, or all k of them divided by k. Both before dropping.'),
  aux_loss_coef: notNegative32().default(0.01).describe('Weight of the load-balancing loss.'),
  z_loss_coef: notNegative32().default(0).describe('Weight of the router z-loss (mean squared log-sum-exp of logits).'),
  jitter_eps: fraction32('spread')
    .default(0.01)
    .describe("The router's copy of its input is multiplied by U(1 - eps, 1 + eps) while training."),
  metrics: choice(['brief', 'full'])
    .default('brief')
    .describe(
      'What a line of metrics has of routing. `brief`: the worst of all mixtures, and loads of experts only where they are 256 numbers or less. `full`: loads and health of each mixture, of the first 64.',
    ),
  record: folder().describe(
    'Folder in which the choices of all tokens are kept, in training and evaluations; relative to the run directory. `null`: none.',
  ),
  replay: folder().describe(
    'Folder that `record` of another run wrote: tokens take the choices there instead of their own. Relative to this file. `null`: none.',
  ),
  router_dtype: choice(['fp32']).default('fp32').describe('Precision of the router.'),
  dispatch_dtype: choice(['bf16', 'fp32'])
    .default('bf16')
    .describe('Precision to which rows are rounded on their way to experts and back, gradients too.'),
});
