/** How OLMoE and Qwen3-MoE route, in a config.json: a softmax over all experts, top-k, gates as they are or divided by their sum. */
import type { MixtureConfig } from '../config.ts';
import type { HfConfig } from './hf_config.ts';
import type { Keys } from './keys.ts';

/** What these never do otherwise. */
export const usualRouting: Partial<MixtureConfig> = {
  score_order: 'pre_softmax',
  score_func: 'softmax',
  num_shared_experts: 0,
  num_expert_groups: 1,
  load_balance_coeff: 0,
  route_scale: 1,
  jitter_eps: 0,
  overflow: 'dropless',
};

export function readSmallExperts(
  config: HfConfig,
  usual: {
    readonly experts: number;
    readonly choices: number;
    readonly isNormed: boolean;
    readonly coefficient: number;
  },
): Keys {
  return {
    // Version 5 has the name of Mixtral's.
    num_experts: config.whole(config.has('num_experts') ? 'num_experts' : 'num_local_experts', usual.experts),
    top_k: config.whole('num_experts_per_tok', usual.choices),
    route_norm: config.flag('norm_topk_prob', usual.isNormed),
    aux_loss_coef: config.number('router_aux_loss_coef', usual.coefficient),
    z_loss_coef: 0,
  };
}

export const writeSmallExperts = (moe: MixtureConfig): Keys => ({
  num_experts: moe.num_experts,
  num_experts_per_tok: moe.top_k,
  norm_topk_prob: moe.route_norm,
  router_aux_loss_coef: moe.aux_loss_coef,
});
