/**
 * The names that other projects have for keys of the topology file: Hugging Face's configs, Megatron's flags, torchtitan's and
 * DeepSeek's. Whoever writes one of them is told ours.
 */
const names: Readonly<Record<string, string>> = {
  num_local_experts: 'moe.num_experts',
  n_routed_experts: 'moe.num_experts',
  moe_num_experts: 'moe.num_experts',
  n_shared_experts: 'moe.num_shared_experts',
  num_experts_per_tok: 'moe.top_k',
  num_experts_per_token: 'moe.top_k',
  moe_top_k: 'moe.top_k',
  moe_router_topk: 'moe.top_k',
  router_aux_loss_coef: 'moe.aux_loss_coef',
  moe_aux_loss_coeff: 'moe.aux_loss_coef',
  aux_loss_alpha: 'moe.aux_loss_coef',
  router_z_loss_coef: 'moe.z_loss_coef',
  moe_z_loss_coeff: 'moe.z_loss_coef',
  router_jitter_noise: 'moe.jitter_eps',
  moe_input_jitter_eps: 'moe.jitter_eps',
  router_dtype: 'moe.router_dtype',
  moe_router_dtype: 'moe.router_dtype',
  moe_router_bias_update_rate: 'moe.load_balance_coeff',
  norm_topk_prob: 'moe.route_norm',
  routed_scaling_factor: 'moe.route_scale',
  moe_router_topk_scaling_factor: 'moe.route_scale',
  scoring_func: 'moe.score_func',
  moe_router_score_function: 'moe.score_func',
  moe_router_pre_softmax: 'moe.score_order',
  n_group: 'moe.num_expert_groups',
  topk_group: 'moe.num_limited_groups',
  moe_router_num_groups: 'moe.num_expert_groups',
  moe_router_group_topk: 'moe.num_limited_groups',
  moe_expert_capacity_factor: 'moe.capacity_factor',
  moe_capacity_factor: 'moe.capacity_factor',
  expert_capacity: 'moe.capacity_factor',
  train_capacity_factor: 'moe.capacity_factor',
  moe_token_drop_policy: 'moe.drop_order',
  batch_prioritized_routing: 'moe.drop_order',
  decoder_sparse_step: 'moe.every_n_layers',
  moe_layer_freq: 'moe.every_n_layers',
  expert_model_parallel_size: 'parallelism.expert_parallel',
  expert_parallel_degree: 'parallelism.expert_parallel',
};

/** The path of the key that another project calls `key`; null where nobody does. */
export const ourNameOf = (key: string): string | null => (Object.hasOwn(names, key) ? names[key] : null);

/** For whoever checks that all of them are keys. */
export const otherNames = (): readonly (readonly [other: string, ours: string])[] => Object.entries(names);
