/** What a plan prints: tables that fit the screen, a verdict, and one JSON object with the same numbers. */
import { describe, expect, test } from 'vitest';
import { planJson } from '../../src/cli/plan_json.ts';
import { planLines } from '../../src/cli/plan_tables.ts';
import { verdict } from '../../src/cli/plan_verdict.ts';
import { planOf, two } from './planned.ts';

/** The same on sixteen workers of four nodes. */
const large = `
name: large
cluster: { nodes: 4, workers_per_node: 4 }
moe: { num_experts: 32 }
parallelism: { data_parallel: 4, expert_parallel: 8, pipeline_parallel: 4, micro_batches: 4 }
`;

describe('what is printed', () => {
  test('says who lives where, what it weighs, computes and sends, and that it fits', async () => {
    const lines = planLines(await planOf(two));
    expect(lines[0]).toBe('two: 2 stage ranks and 4 expert groups on 2 workers of 1 node; 4096 tokens a step');
    expect(lines).toContain('  stage-p0-d1    embedding, layers 0-3, 2 routers, head  node-0.worker-1');
    expect(lines).toContain('  experts-l1-g1  experts 4-7 of layer 1                  node-0.worker-1');
    expect(lines).toContain('  active for a token     855.2 k   31.8 %');
    expect(lines.at(-1)).toMatch(
      /^fits: node-0\.worker-0 is the fullest, with \d+\.\d\d MiB of 2048\.00 MiB \(\d\.\d %\)$/,
    );
  });

  test('has what the formulas say in its tables', async () => {
    const lines = planLines(await planOf(two));
    // 4 experts of 131,072 parameters in fp32, a gradient of one rank beside that of the other, two moments;
    // 3 * 2 * 131,072 FLOPs for half of 4096 tokens.
    expect(lines.find((line) => /^ {2}experts-l1-g0 .*2\.00/.test(line))).toMatch(/ 2\.00 +4\.00 +4\.00 .* 1\.61$/);
    // Half of 2048 rows of 128 in bf16, in two layers, there and back, of two routers.
    expect(lines).toContainEqual(
      expect.stringMatching(
        /^ {2}node-0\.worker-0 {2}node-0\.worker-1 {2}thread {2}2\.00 {2}2\.50 +- +- +2\.26 +4\.76$/,
      ),
    );
  });

  test('is not wider than 100 columns, in any cluster', async () => {
    for (const text of [two, large, 'model: { architecture: transformer }']) {
      const lines = planLines(await planOf(text)).slice(0, -1);
      expect(lines.filter((line) => line.length > 100)).toEqual([]);
    }
  });

  test('shows the heaviest links of many, and how many more there are', async () => {
    const plan = await planOf(large);
    const lines = planLines(plan);
    const from = lines.findIndex((line) => line.startsWith('from worker to worker'));
    const links = lines.slice(from + 2, lines.indexOf('', from));
    expect(links).toHaveLength(25);
    expect(links.filter((line) => line.includes(' local '))).toEqual([]);
    expect(links.at(-1)).toBe(`  ... and ${plan.traffic.links.length - 24} more; --json has all`);
  });

  test('names no experts where there are none', async () => {
    const text = planLines(await planOf('model: { architecture: transformer }')).join('\n');
    expect(text).toContain('run: 1 stage rank on 1 worker of 1 node; 4096 tokens a step');
    expect(text).not.toMatch(/expert group|routers {2}|experts {2}/);
  });
});

test('the verdict names the fullest worker, what it asks for and the budget', async () => {
  const plan = await planOf(two.replace('workers_per_node: 2', 'workers_per_node: 2, memory_per_worker: 100MiB'));
  const [{ totalBytes }] = plan.workers;
  const asked = (totalBytes / 2 ** 20).toFixed(2);
  expect(verdict(plan)).toContain(
    `does not fit on 2 of 2 workers: node-0.worker-0 asks for ${asked} MiB of a budget of 100.00 MiB; raise `,
  );
});

describe('the JSON object', () => {
  test('has the numbers of the plan under the documented keys', async () => {
    const plan = await planOf(two);
    const object: unknown = JSON.parse(planJson(plan));
    const [worker] = plan.workers;
    expect(object).toMatchObject({
      name: 'two',
      fits: true,
      nodes: 1,
      workers_per_node: 2,
      memory_per_worker: 2 ** 31,
      stage_ranks: 2,
      expert_groups: 4,
      vocabulary: 256,
      tokens_per_step: 4096,
      flops_per_step: 4096 * 6_488_064,
      parameters: { total: 2_690_176, active: 855_168, dense_ffn: 262_144 },
    });
    expect(object).toHaveProperty('workers.0', {
      worker: 'node-0.worker-0',
      device: 'cpu',
      fits: true,
      limit_bytes: 2 ** 31,
      roles: ['stage-p0-d0', 'experts-l1-g0', 'experts-l3-g0'],
      slice_bytes: worker.sliceBytes,
      scratch_bytes: worker.scratchBytes,
      hole_bytes: worker.holeBytes,
      total_bytes: worker.totalBytes,
      flops: worker.flops,
      flops_share: 0.5,
      actors: worker.actors.map(({ owner, role, memory, flops }) => ({
        owner,
        role,
        parameter_bytes: memory.parameters,
        gradient_bytes: memory.gradients,
        moment_bytes: memory.moments,
        activation_bytes: memory.activations,
        flops,
      })),
    });
    expect(object).toHaveProperty('links.1', {
      from: 'node-0.worker-0',
      to: 'node-0.worker-1',
      transport: 'thread',
      messages: 16,
      dispatch_bytes_even: 2 * 2 * 2 * 1024 * 128 * 2,
      dispatch_bytes_most: 2 * 2 * 2 * 1280 * 128 * 2,
      hand_over_bytes: 0,
      pipeline_bytes: 0,
      all_reduce_bytes: plan.traffic.links[1].allReduce,
    });
    expect(object).toHaveProperty('by_transport.nats.messages', 0);
  });
});

describe('a model that no worker can address', () => {
  const dense = `
name: dense
model: { architecture: transformer, hidden_size: 18432, num_hidden_layers: 96, num_attention_heads: 96, intermediate_size: 73728, max_position_embeddings: 4096 }
training: { global_batch_size: 768, sequence_length: 4096 }
parallelism: { pipeline_parallel: 12, micro_batches: 768 }
cluster: { workers_per_node: 12, memory_per_worker: 640GiB }
`;
  const sparse = `
name: sparse
model: { hidden_size: 1024, num_hidden_layers: 24, num_attention_heads: 16, intermediate_size: 4096 }
moe: { num_experts: 2048 }
parallelism: { expert_parallel: 64 }
cluster: { nodes: 8, workers_per_node: 8, memory_per_worker: 4GiB }
`;

  test.each([
    ['a dense one of 391 billion parameters', dense, 391e9],
    ['2,048 experts in 12 layers', sparse, 206e9],
  ])('is planned: %s', async (_, text, parameters) => {
    const plan = await planOf(text);
    expect(plan.parameters.total / parameters).toBeCloseTo(1, 2);
    expect(plan.workers.every(({ fits }) => !fits)).toBe(true);
    expect(planLines(plan).at(-1)).toContain(`does not fit on ${plan.workers.length} of `);
    expect(JSON.parse(planJson(plan))).toMatchObject({ fits: false, parameters: { total: plan.parameters.total } });
  });

  test('is refused on the processor with the sum that is too large, and fits a GPU that is given as much', async () => {
    expect(verdict(await planOf(dense))).toMatch(
      /^does not fit on 12 of 12 workers: node-0\.worker-0 asks for \d+\.\d\d MiB \(parameters \d+\.\d\d MiB \+ gradients \d+\.\d\d MiB \+ moments \d+\.\d\d MiB \+ activations \d+\.\d\d MiB \+ scratch \d+\.\d\d MiB\), and a worker on cpu addresses 4096\.00 MiB; divide the model among more workers \(cluster\.workers_per_node, /,
    );
    const onGpus = await planOf(dense.replace('640GiB', '2TiB, device: webgpu'));
    expect(onGpus.workers.every(({ fits, limitBytes }) => fits && limitBytes === 2 ** 41)).toBe(true);
  });
});

test('the fullest worker is the one with the largest share of its own limit', async () => {
  const plan = await planOf(two);
  const [first, second] = plan.workers;
  const workers = [
    { ...first, totalBytes: 3 * 2 ** 20, limitBytes: 8 * 2 ** 20 },
    { ...second, totalBytes: 2 ** 20, limitBytes: 2 * 2 ** 20 },
  ];
  expect(verdict({ ...plan, workers })).toBe(
    'fits: node-0.worker-1 is the fullest, with 1.00 MiB of 2.00 MiB (50.0 %)',
  );
});
