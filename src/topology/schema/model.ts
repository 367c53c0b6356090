/**
 * The architecture and its sizes, under the names that Hugging Face configurations use. The vocabulary is
 * the tokenizer's unless it is given.
 */
import { z } from 'zod';
import { choice, positive32, whole } from './kinds.ts';

const laterArchitectures = ['mixtral', 'mamba', 'moe_mamba', 'nemotron', 'switch_t5'];

const innerWidth = whole(1, { most: 2 ** 22, because: 'a matrix of that by the widest hidden_size has 16 TiB' });

export const modelSchema = z.strictObject({
  architecture: choice(['transformer', 'switch'], laterArchitectures)
    .default('switch')
    .describe('`transformer`: dense decoder. `switch`: the same with mixture-of-experts layers (Switch Transformers).'),
  hidden_size: whole(1, { most: 2 ** 20, because: 'a square matrix of that width has 4 TiB' })
    .default(128)
    .describe('Width of the residual stream; a multiple of 16.'),
  num_hidden_layers: whole(1, { most: 4096, because: 'each is placed, planned and saved on its own' })
    .default(4)
    .describe('Decoder layers, each attention and a feed-forward network.'),
  num_attention_heads: whole(1).default(4).describe('Attention heads; hidden_size / heads is a multiple of 16.'),
  intermediate_size: z
    .union([innerWidth, z.array(innerWidth).min(1)])
    .meta({ allowed: 'a whole number from 1 to 4194304, or a list with one for each layer' })
    .default(512)
    .describe('Inner width of feed-forward networks, dense or expert, of all layers or of each; multiples of 16.'),
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
      'Rows of the embedding and of the head, a multiple of 16; no less than the tokenizer has ids. ' +
        '`null`: as many as it has, rounded up to a multiple of 64.',
    ),
  max_position_embeddings: whole(2).default(256).describe('Longest sequence in tokens that the model can read.'),
  rope_theta: positive32().default(10_000).describe('Base of the rotary position embedding.'),
  rms_norm_eps: positive32().default(1e-6).describe('Added to the mean square inside RMSNorm.'),
  tie_word_embeddings: z
    .boolean()
    .default(false)
    .describe('Whether the head is the embedding, one matrix with one gradient, instead of a matrix of its own.'),
});
