/** From a topology file's `model` and `moe` sections to what a model is built from. */
import { expertCapacity, type Topology } from '../topology/index.ts';
import type { ModelShape } from './model.ts';

const precisions = { fp32: 'f32', bf16: 'bf16', fp16: 'f16' } as const;

/** Sizes of the model; `tokens` are those of one microbatch. */
export function modelShapeOf({ model, moe, training }: Topology, vocabulary: number, tokens: number): ModelShape {
  return {
    architecture: model.architecture,
    hidden: model.hidden_size,
    layers: model.num_hidden_layers,
    heads: model.num_attention_heads,
    ffn: model.intermediate_size,
    vocabulary,
    ropeTheta: model.rope_theta,
    normEps: model.rms_norm_eps,
    precision: precisions[training.precision],
    mixture:
      moe === undefined
        ? null
        : {
            experts: moe.num_experts,
            topK: moe.top_k,
            everyNLayers: moe.every_n_layers,
            jitterEps: moe.jitter_eps,
            dispatchDtype: moe.dispatch_dtype,
            maxCapacity: Math.max(
              ...[moe.capacity_factor, moe.eval_capacity_factor].map((factor) =>
                expertCapacity(tokens, moe.top_k, moe.num_experts, factor, moe.min_capacity),
              ),
            ),
          },
  };
}
