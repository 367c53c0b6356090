/**
 * Every number of a topology file at sizes that nobody can run: each is planned, or refused in one line that names a key of
 * those that were set. What would take for ever, or all memory, never ends here.
 */
import { describe, expect, it, test } from 'vitest';
import { runSpecOf } from '../../src/actors/placement/run_spec.ts';
import { planRun } from '../../src/run/plan.ts';
import { planJson } from '../../src/cli/plan_json.ts';
import { planLines } from '../../src/cli/plan_tables.ts';
import { ConfigError, parseOverride, parseTopology, type Topology } from '../../src/topology/index.ts';
import { keyTree, type KeyNode } from '../../src/topology/key_tree.ts';

const text = `
name: huge
model: { hidden_size: 32, num_hidden_layers: 2, num_attention_heads: 2, intermediate_size: 32, max_position_embeddings: 32 }
moe: { num_experts: 4 }
training: { steps: 6, global_batch_size: 4, sequence_length: 32, eval_interval: 3, eval_sequences: 4 }
optimizer: { warmup_steps: 1 }
data: { blend: [{ name: text, glob: '*.txt' }] }
cluster: { nats: { url: auto } }
`;

/** Paths of all keys that hold a number, those of a list's item at its first. */
function numericKeys(node: KeyNode, path: readonly string[] = []): string[] {
  return [...node.keys].flatMap(([name, child]) => {
    const own = [...path, name];
    const inner = child.item === null ? numericKeys(child, own) : numericKeys(child.item, [...own, '0']);
    return /^(a (whole )?number|a power of two|a size|a list of two numbers)/.test(child.allowed)
      ? [own.join('.'), ...inner]
      : inner;
  });
}

const keys = numericKeys(keyTree());
const values = ['1e9', '1e15', String(2 ** 53)];

/** The line of the refusal, or the last line of the plan; `vocabulary` is the tokenizer's. */
async function answerTo(settings: readonly string[], vocabulary = 256): Promise<string> {
  let topology: Topology;
  try {
    topology = parseTopology(text, 'huge.yaml', settings.map(parseOverride));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message;
  }
  const plan = await planRun(await runSpecOf({ topology, baseDir: '.', vocabulary }));
  expect(planJson(plan)).toContain('"fits"');
  return planLines(plan).at(-1)!;
}

const answer =
  /^(--set |huge\.yaml:).*(allowed: |; |multiple|exceeds|divisible|divided|exact)|^fits: |^does not fit on /;

/** What has to be there for a key to mean something. */
const besideOf = (key: string): string[] =>
  key.startsWith('model.rope_scaling.')
    ? ['rope_type=yarn', 'factor=2', 'original_max_position_embeddings=32'].map((set) => `model.rope_scaling.${set}`)
    : [];

it('knows all keys that hold a number', () => {
  expect(keys.length).toBeGreaterThan(40);
  expect(keys).toEqual(
    expect.arrayContaining(['training.steps', 'data.blend.0.weight', 'training.loss_scale.initial']),
  );
});

describe.each(keys)('%s', (key) => {
  const isPair = key === 'optimizer.betas';
  test.each(values)('of %s has an answer', async (value) => {
    const line = await answerTo([...besideOf(key), `${key}=${isPair ? `[${value}, 0.9]` : value}`]);
    expect(line).toMatch(answer);
    if (!/^(fits|does not fit)/.test(line)) expect(line).toContain(key.split('.').at(-1));
  });
});

describe('several that only together are huge', () => {
  test.each([
    [
      'sequences',
      ['training.sequence_length=1e9', 'model.max_position_embeddings=1e9'],
      /a whole number from 2 to 262144/,
    ],
    ['replicas', ['parallelism.data_parallel=1e9', 'training.global_batch_size=1e9'], /a whole number from 1 to 1024/],
    ['stages', ['parallelism.pipeline_parallel=1e9', 'model.num_hidden_layers=1e9'], /a whole number from 1 to 4096/],
    [
      'microbatches',
      ['parallelism.micro_batches=1000000', 'training.global_batch_size=1000000'],
      / = 1000000 microbatches a step, .+; lower parallelism\.micro_batches$/,
    ],
    [
      'a microbatch',
      ['training.global_batch_size=40000000'],
      / = 1280000000 tokens a microbatch, more than 16777216; .+ = 163840000000 bytes; lower /,
    ],
    [
      'ranks',
      [
        'parallelism.data_parallel=1024',
        'training.global_batch_size=1024',
        'parallelism.pipeline_parallel=16',
        'model.num_hidden_layers=16',
      ],
      / = 16384 stage ranks, more than 8192; /,
    ],
    [
      'replicas of stages',
      [
        'parallelism.data_parallel=1024',
        'training.global_batch_size=1024',
        'parallelism.pipeline_parallel=8',
        'model.num_hidden_layers=8',
      ],
      / = 8388608 pairs of replicas .+; lower data_parallel$/,
    ],
    ['workers', ['cluster.nodes=8192', 'cluster.workers_per_node=2'], / = 16384 workers, more than 8192; /],
    [
      'experts',
      ['moe.num_experts=65536', 'model.num_hidden_layers=8'],
      / = 262144 experts, .+; lower moe\.num_experts$/,
    ],
    [
      'routers and groups',
      [
        'moe.num_experts=65536',
        'parallelism.expert_parallel=65536',
        'parallelism.data_parallel=128',
        'training.global_batch_size=128',
      ],
      / = 8388608 pairs of a router and a group, .+; lower expert_parallel$/,
    ],
    [
      'rows',
      ['moe.num_experts=1024', 'moe.top_k=1024', 'training.global_batch_size=131072'],
      / = 4294967296 rows to experts, .+ 32 bits number; lower moe\.top_k/,
    ],
    [
      'steps',
      ['training.steps=9007199254740991', 'training.global_batch_size=4'],
      / sequences, more than 2\^53 - 1, .+; lower training\.steps$/,
    ],
  ] as const)('%s', async (_, settings, line) => {
    expect(await answerTo(settings)).toMatch(line);
  });

  test.each([
    ['microbatches', ['parallelism.micro_batches=65536', 'training.global_batch_size=65536']],
    ['replicas', ['parallelism.data_parallel=1024', 'training.global_batch_size=1024', 'cluster.nodes=1024']],
    [
      'stages',
      [
        'parallelism.pipeline_parallel=1024',
        'model.num_hidden_layers=1024',
        'cluster.nodes=8192',
        'parallelism.micro_batches=1024',
        'training.global_batch_size=1024',
      ],
    ],
    ['layers', ['model.num_hidden_layers=4096']],
    ['experts', ['moe.num_experts=65536', 'parallelism.expert_parallel=64']],
    [
      'groups of one expert',
      [
        'moe.num_experts=65536',
        'parallelism.expert_parallel=65536',
        'cluster.nodes=4096',
        'cluster.workers_per_node=2',
      ],
    ],
    ['widths', ['model.hidden_size=1048576', 'model.intermediate_size=4194304']],
    ['heads', ['model.hidden_size=1048576', 'model.num_attention_heads=65536']],
    ['a microbatch', ['training.global_batch_size=524288']],
  ] as const)('the most %s that are taken are planned', async (_, settings) => {
    expect(await answerTo(settings)).toMatch(/^fits: |^does not fit on /);
  });
});

test('a vocabulary of a billion is planned, and one that cannot be counted is refused', async () => {
  expect(await answerTo([], 1e9)).toMatch(/^does not fit on /);
  await expect(answerTo([], 1e15)).rejects.toMatchObject({
    tag: 'TooLargeToPlan',
    message: expect.stringMatching(
      /^stage-p0-d0: .+ bytes on one worker, and a plan counts to 4503599627370496; lower /,
    ) as string,
  });
});
