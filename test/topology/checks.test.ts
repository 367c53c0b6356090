/** Rules between keys: the line each says when it is broken, and the values just inside that pass. */
import { describe, expect, test } from 'vitest';
import { parseTopology } from '../../src/topology/index.ts';
import { messageOf } from './refusal.ts';

describe('a broken rule names both keys and their numbers', () => {
  test.each([
    [
      'model: { num_attention_heads: 3 }',
      'run.yaml:1:31: model.num_attention_heads: hidden_size 128 / num_attention_heads 3 is 42.67 a head; choose heads that divide it, or set head_dim',
    ],
    [
      'model: { num_attention_heads: 128 }',
      'run.yaml:1:31: model.num_attention_heads: hidden_size 128 / num_attention_heads 128 is 1 rotary channels a head; they turn in pairs, so it must be even',
    ],
    [
      'model: { architecture: nemotron, head_dim: 6 }',
      'run.yaml:1:44: model.head_dim: head_dim 6 x partial_rotary_factor 0.5 is 3 rotary channels a head; they turn in pairs, so it must be even',
    ],
    [
      'model: { num_key_value_heads: 3 }',
      'run.yaml:1:31: model.num_key_value_heads: num_key_value_heads 3 does not divide num_attention_heads 4; choose a divisor of it',
    ],
    [
      'model: { rope_scaling: { rope_type: yarn, factor: 4 } }',
      'run.yaml:1:24: model.rope_scaling.original_max_position_embeddings: rope_type yarn needs original_max_position_embeddings, the longest sequence of pre-training',
    ],
    [
      'model: { rope_scaling: { rope_type: llama3, factor: 4, original_max_position_embeddings: 64, low_freq_factor: 4, high_freq_factor: 1 } }',
      'run.yaml:1:132: model.rope_scaling.high_freq_factor: rope_type llama3 needs low_freq_factor, and a high_freq_factor above it',
    ],
    [
      'model: { rope_scaling: { rope_type: linear, factor: 4, beta_fast: 3 } }',
      'run.yaml:1:67: model.rope_scaling.beta_fast: rope_type linear does not read beta_fast; remove it',
    ],
    [
      'model: { architecture: moe_mamba, num_hidden_layers: 5 }',
      'run.yaml:1:54: model.layers: a pattern of 2 does not divide num_hidden_layers 5; set that to a multiple of it',
    ],
    [
      'model: { architecture: moe_mamba, layers: [mamba] }\nmoe: { top_k: 1 }',
      'run.yaml:2:6: moe: moe_mamba has no experts in model.layers; remove the section, or set model.architecture: switch',
    ],
    [
      'model: { architecture: moe_mamba, layers: [mamba+mamba] }',
      'run.yaml:1:44: model.layers.0: found "mamba+mamba", allowed: a list of attention, mlp, mamba, moe, two different ones joined by +, or mamba(...) with some of conv gate out',
    ],
    [
      'model: { architecture: moe_mamba }\nmoe: { every_n_layers: 2 }',
      'run.yaml:2:24: moe.every_n_layers: model.layers says which layers are mixtures; remove it',
    ],
    [
      'model: { architecture: mamba, intermediate_size: 64, num_attention_heads: 2 }',
      'run.yaml:1:31: model.intermediate_size: model.architecture does not read it, transformer, switch, llama, mixtral, olmoe, qwen3_moe, nemotron, moe_mamba do; remove it (and 1 more error)',
    ],
    [
      'model: { architecture: transformer }\nmoe: { top_k: 1 }',
      'run.yaml:2:6: moe: transformer has no experts; remove the section, or set model.architecture: switch',
    ],
    ['moe: { top_k: 9 }', 'run.yaml:1:15: moe.top_k: top_k 9 exceeds num_experts 8'],
    [
      'moe: { every_n_layers: 5 }',
      'run.yaml:1:24: moe.every_n_layers: every_n_layers 5 exceeds model.num_hidden_layers 4, so that no layer would have experts',
    ],
    [
      'parallelism: { expert_parallel: 3 }',
      'run.yaml:1:33: parallelism.expert_parallel: moe.num_experts 8 cannot be divided into expert_parallel 3 equal groups',
    ],
    [
      'model: { architecture: transformer }\nparallelism: { expert_parallel: 2 }',
      'run.yaml:2:33: parallelism.expert_parallel: expert_parallel 2 needs experts, and transformer has none; set it to 1',
    ],
    [
      'parallelism: { pipeline_parallel: 5 }',
      'run.yaml:1:35: parallelism.pipeline_parallel: pipeline_parallel 5 exceeds model.num_hidden_layers 4; every stage needs a layer',
    ],
    [
      'parallelism: { data_parallel: 3, micro_batches: 2 }',
      'run.yaml:1:31: training.global_batch_size: global_batch_size 16 is not divisible by parallelism.data_parallel 3 x parallelism.micro_batches 2 = 6',
    ],
    [
      'training: { sequence_length: 257 }',
      'run.yaml:1:30: training.sequence_length: sequence_length 257 exceeds model.max_position_embeddings 256',
    ],
    [
      'training: { steps: 20 }',
      'run.yaml:1:20: optimizer.warmup_steps: warmup_steps 20 must be less than training.steps 20; lower it, for example --set optimizer.warmup_steps=0',
    ],
    [
      'cluster: { nodes: 3, device: [webgpu:0, cpu] }',
      'run.yaml:1:30: cluster.device: a list of 2 for cluster.nodes 3; give one entry for each node, or one device for all',
    ],
    [
      'cluster: { nodes: 2, workers_per_node: 2, device: [cpu, [webgpu:0, webgpu:1, cpu]] }',
      'run.yaml:1:57: cluster.device.1: a list of 3 for cluster.workers_per_node 2; give one entry for each worker, or one device for the node',
    ],
    ['optimizer: { lr: 1.0e-4 }', 'run.yaml:1:18: optimizer.min_lr: min_lr 0.0002 exceeds lr 0.0001'],
    ['optimizer: { schedule: wsd, lr: 1.0e-4 }', 'run.yaml:1:33: optimizer.min_lr: min_lr 0.0002 exceeds lr 0.0001'],
    [
      'optimizer: { schedule: wsd, decay_steps: 281 }',
      'run.yaml:1:42: optimizer.decay_steps: decay_steps 281 and warmup_steps 20 exceed training.steps 300; lower one of them',
    ],
    [
      'training: { steps: 21 }\noptimizer: { schedule: wsd }',
      'run.yaml:1:20: optimizer.decay_steps: decay_steps 3, a tenth of the steps, and warmup_steps 20 exceed training.steps 21; lower one of them',
    ],
    [
      'optimizer: { schedule: linear, decay_steps: 30 }',
      'run.yaml:1:45: optimizer.decay_steps: it is for schedule wsd, but optimizer.schedule is linear; remove it',
    ],
    [
      'optimizer: { schedule: wsd, decay_steps: 0 }',
      'run.yaml:1:42: optimizer.decay_steps: found 0, allowed: a whole number, 1 or more',
    ],
    [
      'data: { blend: [ { name: a, glob: x }, { name: b, glob: y }, { name: a, glob: z } ] }',
      'run.yaml:1:70: data.blend.2.name: another corpus of the blend is named "a" too; names must differ',
    ],
    ['moe: { num_experts: 1 }', 'run.yaml:1:21: moe.num_experts: found 1, allowed: a whole number from 2 to 65536'],
    [
      'evaluations: [ { name: held_out, data: { rows: x } } ]',
      'run.yaml:1:24: evaluations.0.name: it is the name of the evaluation on what data holds out; choose another',
    ],
    [
      'evaluations: [ { name: a, data: { rows: x } }, { name: a, data: { rows: y } } ]',
      'run.yaml:1:24: evaluations.0.name: several evaluations are named "a"; names must differ',
    ],
    [
      'evaluations: [ { name: a, data: {} } ]',
      'run.yaml:1:33: evaluations.0.data: it has no data; name corpora by blend, or files of rows by rows',
    ],
    [
      'evaluations: [ { name: a, data: { rows: x, blend: [ { name: b, glob: y } ] } } ]',
      'run.yaml:1:33: evaluations.0.data: it has both blend and rows; name all corpora in blend, or only rows',
    ],
    [
      'evaluations: [ { name: a, data: { rows: x }, objective: { kind: attributes } } ]',
      'run.yaml:1:57: evaluations.0.objective: attributes needs a head of attributes, and objective.kind next_token trains a model without; score it in a run that has one',
    ],
    [
      'objective: { kind: attributes }\ndata: { rows: x }\nevaluations: [ { name: a, data: { rows: x }, objective: { kind: next_token } } ]',
      'run.yaml:3:57: evaluations.0.objective: next_token needs a language model head, and objective.kind attributes trains a model without; score it in a run that has one',
    ],
    [
      'evaluations: [ { name: a, data: { blend: [ { name: b, glob: y } ] }, objective: { kind: chat } } ]',
      'run.yaml:1:33: evaluations.0.data: chat is scored on rows of data; name files by rows',
    ],
    [
      'evaluations: [ { name: a, data: { blend: [ { name: b, glob: y, weight: 30% } ] } } ]',
      'run.yaml:1:42: evaluations.0.data.blend: the percentages of the corpora add up to 30%; they must to 100%',
    ],
    [
      'data: { blend: [ { name: a, glob: x, weight: 70% }, { name: b, glob: y } ] }',
      'run.yaml:1:16: data.blend.1.weight: corpus "b" has weight 1 beside percentages; give every corpus a percentage, or none',
    ],
    [
      'data: { blend: [ { name: a, glob: x, weight: 33.3% }, { name: b, glob: y, weight: 60% } ] }',
      'run.yaml:1:16: data.blend: the percentages of the corpora add up to 93.3%; they must to 100%',
    ],
    [
      'data: { blend: [ { name: a, glob: x, weight: 0% } ] }',
      'run.yaml:1:46: data.blend.0.weight: found "0%", allowed: a number above 0, or a percentage such as 70%',
    ],
    [
      'data: { blend: [ { name: a, glob: x, weight: 0 } ] }',
      'run.yaml:1:46: data.blend.0.weight: found 0, allowed: a number above 0, or a percentage such as 70%',
    ],
  ])('%s', (text, message) => {
    expect(messageOf(text)).toBe(message);
  });
});

test.each([
  'model: { num_attention_heads: 8 }',
  'moe: { top_k: 8 }',
  'moe: { every_n_layers: 4 }',
  'parallelism: { expert_parallel: 8 }',
  'parallelism: { pipeline_parallel: 4 }',
  'parallelism: { data_parallel: 4, micro_batches: 4 }',
  'training: { steps: 21 }',
  'data: { blend: [ { name: a, glob: x, weight: 33.3% }, { name: b, glob: y, weight: 33.3% }, { name: c, glob: z, weight: 33.4% } ] }',
  'optimizer: { lr: 2.0e-4 }',
  'optimizer: { warmup_steps: 0 }',
  'optimizer: { schedule: constant, lr: 1.0e-4 }',
  'optimizer: { schedule: wsd, decay_steps: 280 }',
  'optimizer: { schedule: wsd, decay_steps: 300, warmup_steps: 0 }',
  'moe: { num_experts: 2 }',
  'cluster: { nodes: 2, workers_per_node: 2, device: [[webgpu:0, webgpu:1], cpu] }',
  'model: { architecture: transformer }',
])('the edge of a rule is accepted: %s', (text) => {
  expect(messageOf(text)).toBe('accepted');
});

test.each([
  'model: { architecture: mamba, hidden_size: 20 }',
  'model: { architecture: moe_mamba, hidden_size: 20, layers: [mamba] }',
])('heads that no layer has need not divide the width: %s', (text) => {
  expect(parseTopology(text, 'run.yaml').model.hidden_size).toBe(20);
});
