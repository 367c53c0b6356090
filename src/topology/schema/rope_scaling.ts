/**
 * How rotary frequencies are changed for sequences longer than those of pre-training, by the keys of Hugging Face's configs. Each
 * `rope_type` reads some of them.
 */
import { z } from 'zod';
import { choice, positive32, whole } from './kinds.ts';

export const ropeScalingSchema = z.strictObject({
  rope_type: choice(['linear', 'llama3', 'yarn']).describe(
    'Which rule. `linear`: positions divided by the factor (arXiv 2306.15595). `llama3`: only low frequencies, by wave length. `yarn`: by parts (arXiv 2309.00071).',
  ),
  factor: positive32().describe('How many times longer.'),
  original_max_position_embeddings: whole(1)
    .optional()
    .describe('Longest sequence of pre-training; `llama3` and `yarn` need it.'),
  low_freq_factor: positive32().optional().describe('Of `llama3`: wave lengths above length / this are divided.'),
  high_freq_factor: positive32().optional().describe('Of `llama3`: wave lengths below length / this stay.'),
  beta_fast: positive32().optional().describe('Of `yarn`: turns above which a frequency stays; 32 where it is absent.'),
  beta_slow: positive32()
    .optional()
    .describe('Of `yarn`: turns below which a frequency is divided; 1 where it is absent.'),
  attention_factor: positive32()
    .optional()
    .describe('Of `yarn`: what sines and cosines are multiplied by; 0.1 ln(factor) + 1 where it is absent.'),
});

/** What each rule reads beside its own name. */
export const ropeScalingKeys: Readonly<
  Record<z.output<typeof ropeScalingSchema>['rope_type'], readonly (keyof z.output<typeof ropeScalingSchema>)[]>
> = {
  linear: ['factor'],
  llama3: ['factor', 'original_max_position_embeddings', 'low_freq_factor', 'high_freq_factor'],
  yarn: ['factor', 'original_max_position_embeddings', 'attention_factor', 'beta_fast', 'beta_slow'],
};
