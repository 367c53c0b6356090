/** What the model tests share: small shapes, all parameters of a model, and weights large enough for every part to count. */
import { layerShape, type ModelConfig } from '../../src/models/config.ts';
import type { TraceSettings } from '../../src/models/trace_settings.ts';
import { nextToken } from '../../src/models/objectives/next_token.ts';
import { buildModel, sublayersOf } from '../../src/models/families/index.ts';
import { layersOf, mixturesOf, type Model, type RunStep } from '../../src/models/model.ts';
import { ones } from '../../src/models/init.ts';
import type { Parameter } from '../../src/models/parameter.ts';
import type { Sublayers } from '../../src/models/sublayer.ts';
import { fillUniform } from '../../src/kernels/random.ts';
import { moeSchema } from '../../src/topology/schema/moe.ts';
import { elements } from '../../src/kernels/shape.ts';
import { matrixOf, type Parameters } from './plain_decoder.ts';

const { every_n_layers: _, ...usualMoe } = moeSchema.parse({});

export const tinyConfig: ModelConfig = {
  family: 'switch',
  vocab_size: 11,
  hidden_size: 8,
  num_hidden_layers: 4,
  num_attention_heads: 2,
  num_key_value_heads: 2,
  head_dim: 4,
  attention_bias: false,
  qk_norm: 'none',
  sliding_window: null,
  rope_theta: 10_000,
  rope_scaling: null,
  partial_rotary_factor: 1,
  intermediate_size: [12, 12, 12, 12],
  hidden_act: null,
  is_gated_act: false,
  mlp_bias: false,
  rms_norm_eps: 1e-6,
  initializer_range: null,
  tie_word_embeddings: false,
  mamba: { state_size: 4, conv_kernel: 3, expand: 2, time_step_rank: 2, use_bias: false, use_conv_bias: true },
  layers: null,
  moe: { ...usualMoe, num_experts: 3, top_k: 2, layers: [1, 3], jitter_eps: 0, dispatch_dtype: 'fp32' },
};
export const tinyMoe = tinyConfig.moe!;
export const denseConfig: ModelConfig = { ...tinyConfig, family: 'transformer', moe: null };
export const tinyShape = layerShape(tinyConfig, 0);
/** What its layers are made of. */
export const usualSublayers = sublayersOf(tinyConfig);
export const tinySettings: TraceSettings = {
  batch: 2,
  sequence: 6,
  segments: false,
  taps: false,
  precision: 'f32',
  objective: nextToken,
};

/** A small model; what is not given is as above. */
export const modelOf = (config = tinyConfig, settings = tinySettings, sublayers: Partial<Sublayers> = {}): Model =>
  buildModel({ config, settings, sublayers });

export const runStepsOf = (model: Model): RunStep[] =>
  layersOf(model).flatMap(({ steps }) => steps.filter((step) => step.kind === 'run'));

/** Every parameter of a model, once. */
export function parametersOf(model: Model, experts: number): Parameter[] {
  const own = runStepsOf(model).flatMap(({ weights }) => Object.values(weights));
  const mixed = mixturesOf(model).flatMap(({ router, expert }) => [
    ...Object.values(router),
    ...Array.from({ length: experts }, (_, index) => Object.values(expert(index))).flat(),
  ]);
  return [...new Map([...own, ...mixed].map((parameter) => [parameter.name, parameter])).values()];
}

/** Values of order one over the root of the inputs, norms between 0.5 and 1.5, by parameter name. */
export function valuesOf(parameters: readonly Parameter[], seed: number): Record<string, Float32Array> {
  return Object.fromEntries(
    parameters.map(({ name, shape, init }) => {
      const values = new Float32Array(elements(shape));
      const spread = 2 / Math.sqrt(shape.at(-1)!);
      if (init === ones) fillUniform(values, seed, name, 0.5, 1.5);
      else fillUniform(values, seed, name, -spread, spread);
      return [name, values];
    }),
  );
}

/** The same values as rows of numbers. */
export function plainOf(parameters: readonly Parameter[], values: Readonly<Record<string, Float32Array>>): Parameters {
  return Object.fromEntries(parameters.map(({ name, shape }) => [name, matrixOf(values[name], shape.at(-1)!)]));
}
