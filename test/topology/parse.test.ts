/** What a bad topology file says, one exact line each, and what a good one may leave out. */
import { describe, expect, test } from 'vitest';
import { ConfigError, parseTopology } from '../../src/topology/index.ts';
import { messageOf, sections } from './refusal.ts';

test('an error of several faults counts them in its message, and has a line for each', () => {
  try {
    parseTopology('training: { steps: 0 }\nmodel: { hidden_size: 0 }', 'run.yaml');
  } catch (error) {
    expect(error).toMatchObject({
      key: 'training.steps',
      faults: [
        'run.yaml:1:20: training.steps: found 0, allowed: a whole number, 1 or more',
        'run.yaml:2:23: model.hidden_size: found 0, allowed: a whole number from 1 to 1048576',
      ],
    });
  }
  expect.hasAssertions();
});

describe('a faulty file is refused in one line that names place, key, what was found and what is allowed', () => {
  test.each([
    [
      'an unknown key, with the nearest known one',
      'data: { blend: [ { name: a, glob: x, wieght: 3 } ] }',
      'run.yaml:1:38: data.blend.0.wieght: unknown key; did you mean weight? allowed here: name, glob, exclude, weight, format, columns, max_file_bytes',
    ],
    [
      'an unknown section',
      'trainig:\n  steps: 3\n',
      `run.yaml:1:1: trainig: unknown key; did you mean training? allowed here: ${sections}`,
    ],
    [
      'a key in the wrong section',
      '# comment\nseed: 3',
      `run.yaml:2:1: seed: unknown key; did you mean training.seed? allowed here: ${sections}`,
    ],
    [
      'a key path as --set has it',
      'training.steps: 3',
      `run.yaml:1:1: training.steps: unknown key; in a file steps stands below training; allowed here: ${sections}`,
    ],
    ['an empty key', '"": 3', `run.yaml:1:1: "": unknown key; allowed here: ${sections}`],
    ['a mapping for a key', '{ a: b }: 3', `run.yaml:1:1: { a: b }: unknown key; allowed here: ${sections}`],
    ['a key like none', 'zzz: 3', `run.yaml:1:1: zzz: unknown key; allowed here: ${sections}`],
    [
      'text for a number, and more errors after it',
      'training:\n  steps: abc\n  seed: -1\nmodel: { hidden_size: 1.5 }',
      'run.yaml:2:10: training.steps: found "abc", allowed: a whole number, 1 or more (and 2 more errors)',
    ],
    [
      'two errors of which the schema finds the later one first',
      'training: { steps: 0 }\nmodel: { hidden_size: 0 }',
      'run.yaml:1:20: training.steps: found 0, allowed: a whole number, 1 or more (and 1 more error)',
    ],
    ['no number', 'optimizer: { lr: .nan }', 'run.yaml:1:18: optimizer.lr: found NaN, allowed: a number above 0'],
    [
      'a number out of range',
      'training: { seed: 4294967296 }',
      'run.yaml:1:19: training.seed: found 4294967296, allowed: a whole number from 0 to 4294967295',
    ],
    [
      'a fraction out of range',
      'data: { held_out: 0.5 }',
      'run.yaml:1:19: data.held_out: found 0.5, allowed: a number above 0 and less than 0.5',
    ],
    [
      'an empty value',
      'training: { steps: }',
      'run.yaml:1:20: training.steps: found nothing, allowed: a whole number, 1 or more',
    ],
    [
      'a mistyped word',
      'model: { architecture: swich }',
      'run.yaml:1:24: model.architecture: found "swich", allowed: transformer or switch or llama or mixtral or olmoe or qwen3_moe or nemotron or mamba or moe_mamba (did you mean switch?)',
    ],
    [
      'an architecture of a later version',
      'model: { architecture: switch_t5 }',
      'run.yaml:1:24: model.architecture: found "switch_t5", allowed: transformer or switch or llama or mixtral or olmoe or qwen3_moe or nemotron or mamba or moe_mamba (switch_t5 arrives in a later version)',
    ],
    [
      'nodes without a server between them',
      'cluster: { nodes: 2, nats: { url: none } }',
      'run.yaml:1:35: cluster.nats.url: none runs in one process, but cluster.nodes is 2; set it to auto, or cluster.nodes to 1',
    ],
    [
      'a server address with a secret in it',
      'cluster: { nats: { url: "nats://secret@10.0.0.7:4222" } }',
      'run.yaml:1:25: cluster.nats.url: found "nats://…@10.0.0.7:4222", allowed: auto, none, or an address such as nats://10.0.0.7:4222 or tls://nats.example:4222, without a token in it',
    ],
    [
      'a server address of a scheme that is not spoken',
      'cluster: { nats: { url: "wss://10.0.0.7:4222" } }',
      'run.yaml:1:25: cluster.nats.url: found "wss://10.0.0.7:4222", allowed: auto, none, or an address such as nats://10.0.0.7:4222 or tls://nats.example:4222, without a token in it',
    ],
    [
      'a token file for a server that is started here',
      'cluster: { nats: { token_file: token } }',
      'run.yaml:1:32: cluster.nats.token_file: it is for a server at an address, but cluster.nats.url is auto; remove it',
    ],
    [
      'tensor parallelism',
      'parallelism: { tensor_parallel: 2 }',
      'run.yaml:1:33: parallelism.tensor_parallel: found 2, allowed: 1 (tensor parallelism arrives in a later version)',
    ],
    [
      'a device that is none',
      'cluster: { device: gpu }',
      'run.yaml:1:20: cluster.device: found "gpu", allowed: auto, cpu, webgpu, or webgpu: and the number or a part of the name of an adapter; or a list with one for each node',
    ],
    [
      'an adapter without a name',
      'cluster: { device: "webgpu: " }',
      'run.yaml:1:20: cluster.device: found "webgpu: ", allowed: auto, cpu, webgpu, or webgpu: and the number or a part of the name of an adapter; or a list with one for each node',
    ],
    [
      'a device of a list that is none',
      'cluster: { nodes: 2, device: [cpu, gpu] }',
      'run.yaml:1:36: cluster.device.1: found "gpu", allowed: auto, cpu, webgpu, or webgpu: and the number or a part of the name of an adapter; or a list with one for each node',
    ],
    [
      'a device of a list in a list that is none',
      'cluster: { workers_per_node: 2, device: [[cpu, gpu]] }',
      'run.yaml:1:48: cluster.device.0.1: found "gpu", allowed: auto, cpu, webgpu, or webgpu: and the number or a part of the name of an adapter; or a list with one for each node',
    ],
    [
      'a device by a number alone',
      'cluster: { device: 1 }',
      'run.yaml:1:20: cluster.device: found 1, allowed: auto, cpu, webgpu, or webgpu: and the number or a part of the name of an adapter; or a list with one for each node',
    ],
    [
      'a balance that there is not',
      'moe: { aux_loss: globl }',
      'run.yaml:1:18: moe.aux_loss: found "globl", allowed: local or sequence or global (did you mean global?)',
    ],
    [
      'a score order that there is not',
      'moe: { score_order: topk_sofmax }',
      'run.yaml:1:21: moe.score_order: found "topk_sofmax", allowed: pre_softmax or topk_softmax (did you mean topk_softmax?)',
    ],
    [
      'another router precision',
      'moe: { router_dtype: bf16 }',
      'run.yaml:1:22: moe.router_dtype: found "bf16", allowed: fp32',
    ],
    [
      'another dispatch precision',
      'moe: { dispatch_dtype: f16 }',
      'run.yaml:1:24: moe.dispatch_dtype: found "f16", allowed: bf16 or fp32 (did you mean bf16?)',
    ],
    [
      'a size without sense',
      'cluster: { memory_per_worker: lots }',
      'run.yaml:1:31: cluster.memory_per_worker: found "lots", allowed: a size such as 256KiB, 512MiB or 2GiB',
    ],
    [
      'a corpus without a name',
      'data:\n  blend:\n    - glob: x\n',
      'run.yaml:3:7: data.blend.0.name: missing; allowed: text',
    ],
    [
      'an empty blend',
      'data: { blend: [] }',
      'run.yaml:1:16: data.blend: found an empty list, allowed: a list with at least one item',
    ],
    [
      'a glob that is none',
      'data: { blend: [ { name: a, glob: 3 } ] }',
      'run.yaml:1:35: data.blend.0.glob: found 3, allowed: a glob such as "texts/**/*.md", or a list of globs',
    ],
    [
      'an unknown tokenizer',
      'data: { tokenizer: gpt2 }',
      'run.yaml:1:20: data.tokenizer: found "gpt2", allowed: `bytes`, or `hf:` and the path of a tokenizer.json',
    ],
    [
      'a name that is no file name',
      'name: a/b',
      'run.yaml:1:7: name: found "a/b", allowed: letters, digits, ".", "_" and "-", beginning with a letter or a digit',
    ],
    [
      'one beta',
      'optimizer: { betas: [0.9] }',
      'run.yaml:1:21: optimizer.betas: found a list of 1, allowed: a list of two numbers, each 0 or more and less than 1',
    ],
    [
      'a beta out of range',
      'optimizer: { betas: [0.9, 2] }',
      'run.yaml:1:27: optimizer.betas.1: found 2, allowed: a list of two numbers, each 0 or more and less than 1',
    ],
    ['a value for a section', 'training: 3', 'run.yaml:1:11: training: found 3, allowed: a mapping of keys'],
    ['a list for a file', '- a', 'run.yaml:1:1: found a list of 1, allowed: a mapping of sections'],
    ['a word for a file', 'hello', 'run.yaml:1:1: found "hello", allowed: a mapping of sections'],
    [
      'a fault that came through a merge key is shown where it was written',
      'training: &t { steps: 30 }\nmodel: { <<: *t }',
      'run.yaml:1:16: model.steps: unknown key; did you mean training.steps? allowed here: architecture, hidden_size, num_hidden_layers, layers, num_attention_heads, num_key_value_heads, head_dim, attention_bias, qk_norm, sliding_window, intermediate_size, hidden_act, is_gated_act, mlp_bias, sublayers, vocab_size, max_position_embeddings, rope_theta, rope_scaling, partial_rotary_factor, rms_norm_eps, initializer_range, state_size, conv_kernel, expand, time_step_rank, use_bias, use_conv_bias, tie_word_embeddings',
    ],
  ])('%s', (_what, text, message) => {
    expect(messageOf(text)).toBe(message);
  });
});

describe('a good file', () => {
  test('may be empty, and then trains a small sparse model on the Markdown and text files beside it', () => {
    const topology = parseTopology('', 'run.yaml');
    expect(topology.model.architecture).toBe('switch');
    expect(topology.moe?.num_experts).toBe(8);
    expect(topology.cluster.memory_per_worker).toBe(2147483648);
    expect(topology.data.blend).toEqual([
      {
        name: 'text',
        glob: '**/*.{md,txt}',
        weight: 1,
        format: 'auto',
        columns: {},
        max_file_bytes: 1048576,
      },
    ]);
  });

  test('may have a section of which every key is commented out', () => {
    const topology = parseTopology('training:\n  # steps: 3\nmoe:\n', 'run.yaml');
    expect(topology).toEqual(parseTopology('', 'run.yaml'));
  });

  test('may use anchors and merge keys', () => {
    const text = 'data:\n  blend:\n    - &a { name: a, glob: x, weight: 3 }\n    - { <<: *a, name: b }';
    const [, second] = parseTopology(text, 'run.yaml').data.blend;
    expect(second).toEqual({
      name: 'b',
      glob: 'x',
      weight: 3,
      format: 'auto',
      columns: {},
      max_file_bytes: 1048576,
    });
  });

  test('has no moe section when its architecture has no experts', () => {
    expect(parseTopology('model: { architecture: transformer }', 'run.yaml').moe).toBeUndefined();
  });
});

test('an error carries exit code 2, its place and its key', () => {
  const error = new ConfigError('run.yaml:2:10', 'training.steps', 'found 0');
  expect(error).toMatchObject({ tag: 'ConfigError', exitCode: 2, where: 'run.yaml:2:10', key: 'training.steps' });
});
