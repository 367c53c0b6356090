/**
 * Mixtral (arXiv 2401.04088): Llama's layers, with two of eight SwiGLU experts for each token, gates over the two and nobody dropped.
 * Names and sizes are those of Hugging Face's `MixtralForCausalLM`: w1 is the gate, w3 goes up, w2 down.
 */
import { attentionOf } from '../blocks/attention.ts';
import { feedForward } from '../blocks/feed_forward.ts';
import { refuseRouting, refuseUnequal } from '../hugging_face/codec.ts';
import { readDecoder, readSizes, readWindow, writeDecoder, writeSizes } from '../hugging_face/decoder_config.ts';
import type { OwnFamily } from './family.ts';
import { sparse } from './switch.ts';

export const mixtral: OwnFamily = {
  sublayers: (config) => ({
    mixer: attentionOf(config),
    feedForward: feedForward({
      act: config.hidden_act ?? 'silu',
      isGated: true,
      names: { gate: 'w1', up: 'w3', down: 'w2' },
    }),
  }),
  build: sparse({ part: 'block_sparse_moe', router: 'gate' }),
  huggingFace: {
    modelTypes: ['mixtral'],
    className: 'MixtralForCausalLM',
    read: (config) => ({
      model: {
        architecture: 'mixtral',
        ...readSizes(config, false),
        ...readDecoder(config, { act: 'silu', theta: 1e6 }),
        rms_norm_eps: config.number('rms_norm_eps', 1e-5),
        ...readWindow(config),
      },
      moe: {
        num_experts: config.whole('num_local_experts', 8),
        top_k: config.whole('num_experts_per_tok', 2),
        aux_loss_coef: config.number('router_aux_loss_coef', 0.001),
        jitter_eps: config.number('router_jitter_noise', 0),
      },
    }),
    write: (config, { model }) => {
      refuseUnequal('mixtral', config, { partial_rotary_factor: 1, attention_bias: false, qk_norm: 'none' });
      const moe = config.moe!;
      refuseRouting('mixtral', moe, {
        score_order: 'topk_softmax',
        score_func: 'softmax',
        num_shared_experts: 0,
        num_expert_groups: 1,
        load_balance_coeff: 0,
        route_scale: 1,
        overflow: 'dropless',
      });
      return {
        ...writeSizes(config),
        ...writeDecoder('mixtral', config, model),
        rms_norm_eps: config.rms_norm_eps,
        sliding_window: config.sliding_window,
        num_local_experts: moe.num_experts,
        num_experts_per_tok: moe.top_k,
        router_aux_loss_coef: moe.aux_loss_coef,
        router_jitter_noise: moe.jitter_eps,
      };
    },
  },
};
