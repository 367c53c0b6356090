/**
 * The architecture and its sizes, under the names that Hugging Face configurations use. The vocabulary is
 * the tokenizer's unless it is given.
 */
import { z } from 'zod';
import { architectureNames } from '../architectures.ts';
import { choice, fraction32, positive32, whole } from './kinds.ts';
import { ropeScalingSchema } from './rope_scaling.ts';

/** One block on the residual stream, or two beside each other. */
const layerKinds =
  'attention, mlp, mamba, moe, two different ones joined by +, or mamba(...) with some of conv gate out';
const block = '(?:attention|mlp|moe|mamba)';
const layerPattern = new RegExp(
  String.raw`^(?:(${block})(?:\+(?!\1$)${block})?|mamba\((?:conv gate out|conv gate|conv out|gate out|conv|gate|out)\))$`,
);

const innerWidth = whole(1, { most: 2 ** 22, because: 'a matrix of that by the widest hidden_size has 16 TiB' });

export const modelSchema = z.strictObject({
  architecture: choice(architectureNames, ['switch_t5'])
    .default('switch')
    .describe(
      'The family of the model. `transformer`: dense decoder; `switch`: the same with mixture-of-experts layers (arXiv 2101.03961); `llama`; ' +
        '`mixtral` (arXiv 2401.04088); `olmoe` (arXiv 2409.02060); `qwen3_moe` (arXiv 2505.09388); `nemotron` (arXiv 2402.16819, 2406.11704); `mamba` (arXiv 2312.00752); `moe_mamba`: layers by pattern ' +
        '(arXiv 2401.04081). Defaults of keys, and which there are, follow it: docs/how-to/architectures.md.',
    ),
  hidden_size: whole(1, { most: 2 ** 20, because: 'a square matrix of that width has 4 TiB' })
    .default(128)
    .describe('Width of the residual stream.'),
  num_hidden_layers: whole(1, { most: 4096, because: 'each is placed, planned and saved on its own' })
    .default(4)
    .describe('Layers; each attention and a feed-forward network, but in `mamba` and `moe_mamba` one block.'),
  layers: z
    .array(z.string().regex(layerPattern))
    .min(1)
    .meta({ allowed: `a list of ${layerKinds}` })
    .optional()
    .describe(
      'What the layers of `moe_mamba` are, repeated until there are num_hidden_layers: each a block on the residual stream, two beside each other ' +
        'with `+`, Mamba with projections that are mixtures as `mamba(conv gate out)`. Default: `[mamba, moe]`.',
    ),
  num_attention_heads: whole(1).default(4).describe('Attention heads.'),
  num_key_value_heads: whole(1)
    .optional()
    .describe('Heads of keys and values, a divisor of num_attention_heads (arXiv 2305.13245). Default: as many.'),
  head_dim: whole(2, { most: 2 ** 16, because: 'a matrix of that by the widest hidden_size has 256 GiB' })
    .optional()
    .describe('Width of a head, even. Default: hidden_size / num_attention_heads.'),
  attention_bias: z.boolean().optional().describe('Whether the projections of attention have biases. Default: no.'),
  qk_norm: choice(['none', 'heads', 'rows'])
    .optional()
    .describe(
      'RMSNorm of queries and keys before they turn: of each head by itself, or of all heads of a token together. Default: none; `rows` in `olmoe`, `heads` in `qwen3_moe`.',
    ),
  sliding_window: whole(1)
    .nullable()
    .meta({ allowed: 'a whole number, 1 or more, or null' })
    .optional()
    .describe('Keys that a query sees, its own the last of them (arXiv 2310.06825 §2). Default: all before it.'),
  intermediate_size: z
    .union([innerWidth, z.array(innerWidth).min(1)])
    .meta({ allowed: 'a whole number from 1 to 4194304, or a list with one for each layer' })
    .default(512)
    .describe('Inner width of feed-forward networks, dense or expert, of all layers or of each.'),
  hidden_act: choice(['relu', 'relu2', 'silu', 'gelu'])
    .optional()
    .describe(
      'Activation of feed-forward networks; in `llama` and `mixtral` that of the gate. Default: that of the architecture.',
    ),
  is_gated_act: z
    .boolean()
    .optional()
    .describe(
      'Whether feed-forward networks have a gate, whose activation hidden_act then is: GEGLU, SwiGLU (arXiv 2002.05202). Default: no; ' +
        'those of `llama` and `mixtral` always have.',
    ),
  mlp_bias: z.boolean().optional().describe('Whether feed-forward networks have biases. Default: no.'),
  sublayers: z
    .string()
    .min(1)
    .nullable()
    .meta({ allowed: 'the path of a module, or null' })
    .default(null)
    .describe(
      'Module whose exports `mixer` and `feedForward` replace those of the architecture, or whose `family` builds the whole model; ' +
        'relative to this file.',
    ),
  vocab_size: whole(1, { most: 2 ** 24, because: 'a tokenizer has no more ids' })
    .nullable()
    .meta({ allowed: 'a whole number from 1 to 16777216, or null' })
    .default(null)
    .describe(
      'Rows of the embedding and of the head; no less than the tokenizer has ids. ' +
        '`null`: as many as it has, rounded up to a multiple of 64.',
    ),
  max_position_embeddings: whole(2).default(256).describe('Longest sequence in tokens that the model can read.'),
  rope_theta: positive32().default(10_000).describe('Base of the rotary position embedding.'),
  rope_scaling: ropeScalingSchema.optional().describe('Rotary frequencies for longer sequences. Default: as they are.'),
  partial_rotary_factor: z
    .number()
    .gt(0)
    .max(1)
    .optional()
    .describe('Share of the channels of a head that turn. Default: all; of `nemotron` half.'),
  rms_norm_eps: positive32()
    .default(1e-6)
    .describe('Added to the mean square, or the variance, inside norms, whatever their kind.'),
  initializer_range: fraction32('number')
    .optional()
    .describe('Standard deviation of initial matrices. Default: that of the architecture.'),
  state_size: whole(1, { most: 4096, because: 'the scan holds them in registers' })
    .optional()
    .describe('States of a channel of Mamba. Default: 16.'),
  conv_kernel: whole(1, { most: 64, because: 'each tap is unrolled' })
    .optional()
    .describe("Taps of Mamba's convolution. Default: 4."),
  expand: whole(1, { most: 64, because: 'it multiplies hidden_size' })
    .optional()
    .describe('Channels of Mamba, as a multiple of hidden_size. Default: 2.'),
  time_step_rank: whole(1, { most: 2 ** 20, because: 'hidden_size is no larger' })
    .optional()
    .describe('Rank of the projection to the step sizes of Mamba. Default: hidden_size / 16, rounded up.'),
  use_bias: z.boolean().optional().describe('Whether the projections of Mamba in and out have biases. Default: no.'),
  use_conv_bias: z.boolean().optional().describe('Whether the convolution of Mamba has one. Default: yes.'),
  tie_word_embeddings: z
    .boolean()
    .default(false)
    .describe('Whether the head is the embedding, one matrix with one gradient, instead of a matrix of its own.'),
});
