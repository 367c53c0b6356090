/** Bytes between workers by hand counts: of the quickstart on two workers, and of small meshes on many. */
import { describe, expect, test } from 'vitest';
import { castOf, flopsByRole } from '../../src/actors/placement/cast.ts';
import { sumsOf } from '../../src/actors/parameters/sum_traffic.ts';
import { runSpecOf } from '../../src/actors/placement/run_spec.ts';
import {
  blocksOf,
  blocksOfUses,
  leafIndex,
  leavesOf,
  ownedOf,
  parseTopology,
  piecesOf,
  place,
  trafficOf,
  workersOf,
  type StepTraffic,
  type Worker,
} from '../../src/topology/index.ts';

const nameOf = ({ node, worker }: Worker): string => `node-${node}.worker-${worker}`;

/** Traffic of a topology whose stages keep one arena of so many elements. */
async function traffic(text: string, elements = 1000): Promise<StepTraffic> {
  const topology = parseTopology(text, 'run.yaml');
  const runSpec = await runSpecOf({ topology, baseDir: '.', vocabulary: 256 });
  const actors = castOf(runSpec);
  const placement = place(runSpec.mesh, flopsByRole(actors), workersOf(topology.cluster));
  const summing = actors.map(({ address, role, edges, share }) => ({
    address,
    role,
    edges,
    sums: () =>
      address.startsWith('run/stage')
        ? sumsOf(share)
            .slice(0, 1)
            .map((edge) => ({ ...edge, length: elements }))
        : [],
  }));
  return trafficOf({ actors: summing, placement, microBatches: topology.parallelism.micro_batches });
}

/** The links as `from to by: bytes`, of one cause. */
function linksOf({ links }: StepTraffic, cause: 'dispatchMost' | 'dispatchEven' | 'pipeline' | 'allReduce'): string[] {
  return links
    .filter((link) => link[cause] > 0)
    .map((link) => `${nameOf(link.from)} ${nameOf(link.to)} ${link.transport}: ${link[cause]}`);
}

const rows = 2048 * 128;

describe('token dispatch', () => {
  test('is four crossings of every token of every sparse layer, in bf16, whether or not it leaves its worker', async () => {
    const { byTransport } = await traffic('parallelism: { data_parallel: 2 }');
    // Two layers of two ranks hand over and dispatch four times each; each rank sends the other a block and a sum.
    expect(byTransport.local).toMatchObject({ dispatchEven: 2 * 4 * 4096 * 128 * 2, messages: 2 * 2 * (4 + 4) + 4 });
    expect(byTransport.local.dispatchMost).toBe(byTransport.local.dispatchEven);
  });

  test('stops at capacity, doubles in fp32, and is none for a dense model', async () => {
    const text = 'moe: { capacity_factor: 0.5, dispatch_dtype: fp32 }\nparallelism: { data_parallel: 2 }';
    expect((await traffic(text)).byTransport.local.dispatchMost).toBe(2 * 4 * 2048 * 128 * 4);
    expect((await traffic('model: { architecture: transformer }')).byTransport.local.dispatchMost).toBe(0);
  });

  test('to half of the experts is half of the tokens when even, and at most what these have slots for', async () => {
    const split = await traffic('cluster: { nodes: 2 }\nparallelism: { data_parallel: 2, expert_parallel: 2 }');
    // Of 2048 tokens a router sends half to each worker, at most 4 experts x 320 slots; 2 layers, 2 crossings, 2 bytes.
    const each = (tokens: number): number => 2 * 2 * tokens * 128 * 2;
    const pairs = ['0.0 0.0 local', '0.0 1.0 nats', '1.0 0.0 nats', '1.0 1.0 local'];
    const named = (bytes: readonly number[]): string[] =>
      pairs.map((pair, i) => `${pair.replaceAll(/(\d)\.(\d)/g, 'node-$1.worker-$2')}: ${bytes[i]}`);
    // On its own worker a router has both ways; across, each worker's router sends, and its experts answer.
    expect(linksOf(split, 'dispatchEven')).toEqual(named([1, 1, 1, 1].map((n) => 2 * n * each(1024))));
    expect(linksOf(split, 'dispatchMost')).toEqual(named([1, 1, 1, 1].map((n) => 2 * n * each(1280))));
  });

  test('in total is never more than the tokens there are, where links alone would allow it', async () => {
    const text = 'cluster: { nodes: 5 }\nparallelism: { expert_parallel: 4 }\nmoe: { capacity_factor: 2 }';
    const { links, byTransport } = await traffic(text);
    const sum = links.filter(({ transport }) => transport === 'nats').reduce((all, link) => all + link.dispatchMost, 0);
    expect(sum).toBe(2 * 4 * 4096 * 2 * 128 * 2);
    expect(byTransport.nats.dispatchMost).toBe(2 * 4 * 4096 * 128 * 2);
  });

  test('of several choices is at most one row for each expert on the other side', async () => {
    const text = 'cluster: { nodes: 2 }\nmoe: { num_experts: 2, top_k: 2, capacity_factor: 9 }';
    const { byTransport } = await traffic(`${text}\nparallelism: { expert_parallel: 2 }`);
    // Worker 0 has the stage, worker 1 all experts: every token visits both of them.
    expect(byTransport.nats.dispatchMost).toBe(2 * 4 * 2 * 4096 * 128 * 2);
  });
});

describe('a pipeline', () => {
  test('passes fp32 rows on and their gradients back, once for each microbatch', async () => {
    const text = 'cluster: { workers_per_node: 2 }\nmodel: { architecture: transformer }';
    const { links } = await traffic(`${text}\nparallelism: { pipeline_parallel: 2, micro_batches: 2 }`);
    expect(links).toMatchObject([
      { from: { worker: 0 }, to: { worker: 1 }, transport: 'thread', messages: 2, pipeline: 2 * rows * 4 },
      { from: { worker: 1 }, to: { worker: 0 }, transport: 'thread', messages: 2, pipeline: 2 * rows * 4 },
    ]);
  });

  test('hands rows over to the routers of its own worker, fourfold for each layer', async () => {
    const { byTransport } = await traffic('parallelism: { pipeline_parallel: 2 }\ncluster: { nodes: 2 }');
    expect(byTransport.local.handOver).toBe(2 * 4 * 4096 * 128 * 4);
    expect(byTransport.nats.handOver).toBe(0);
  });
});

describe('the sum over replicas', () => {
  test('sends every block of the pieces of others, and the sums of its own', async () => {
    const text = 'cluster: { nodes: 3 }\nmodel: { architecture: transformer }\ntraining: { global_batch_size: 9 }';
    const step = await traffic(`${text}\nparallelism: { data_parallel: 3, micro_batches: 3 }`, 1000);
    // Leaves 0-2, 3-5 and 6-8 are blocks of 2+1, 1+2 and 2+1; pieces have 320, 320 and 360 elements.
    expect(linksOf(step, 'allReduce')).toEqual([
      `node-0.worker-0 node-1.worker-0 nats: ${(2 * 320 + 320) * 4}`,
      `node-0.worker-0 node-2.worker-0 nats: ${(2 * 360 + 320) * 4}`,
      `node-1.worker-0 node-0.worker-0 nats: ${(2 * 320 + 320) * 4}`,
      `node-1.worker-0 node-2.worker-0 nats: ${(2 * 360 + 320) * 4}`,
      `node-2.worker-0 node-0.worker-0 nats: ${(2 * 320 + 360) * 4}`,
      `node-2.worker-0 node-1.worker-0 nats: ${(2 * 320 + 360) * 4}`,
    ]);
    expect(step.byTransport.nats.messages).toBe(6 * (2 + 1));
  });

  test('of one replica is nothing', async () => {
    expect((await traffic('model: { architecture: transformer }')).links).toEqual([]);
  });
});

test('leaves divide into maximal aligned blocks', () => {
  const counts = [
    [0, 8],
    [0, 7],
    [1, 7],
    [3, 3],
    [5, 6],
    [4, 0],
  ].map(([first, count]) => blocksOf(first, count));
  expect(counts).toEqual([1, 3, 3, 2, 4, 0]);
});

test('a use has a subtree of its own, as wide as the microbatches of a step', () => {
  expect([0, 1, 2].map((use) => leafIndex(use, 2, 3))).toEqual([2, 6, 10]);
  // Three microbatches a use: of four places one is nobody's.
  expect([0, 1, 2, 3].map((index) => leavesOf(0, index, 2, 3))).toEqual([1, 1, 1, 0]);
  expect([0, 1, 2, 3].map((index) => leavesOf(1, index, 2, 3))).toEqual([2, 1, 2, 1]);
  expect([leavesOf(2, 1, 2, 3), leavesOf(3, 0, 2, 3), leavesOf(3, 0, 1, 3), leavesOf(2, 1, 1, 3)]).toEqual([
    3, 6, 3, 0,
  ]);
});

test('blocks of several uses are those of each, but that whole subtrees fold', () => {
  const blocks = (own: number[], first: number, count: number, of: number) =>
    blocksOfUses({ own, of: own.length + 1 }, { first, count, of });
  expect(blocks([0], 3, 3, 9)).toBe(2);
  expect(blocks([0, 1], 3, 3, 9)).toBe(4);
  expect(blocks([0, 1], 0, 3, 3)).toBe(4);
  expect(blocks([0, 1], 0, 4, 4)).toBe(1);
  expect(blocks([1, 2], 0, 4, 4)).toBe(2);
  expect(blocks([0, 1, 3], 0, 1, 1)).toBe(2);
});

test('pieces cover an arena without gap, every part of 4 MiB as evenly as can be', () => {
  const rangesOf = (length: number, ranks: number) =>
    piecesOf(length, ranks).map(({ part, owner, start, end }) => [part, owner, start, end]);
  expect(rangesOf(1000, 3)).toEqual([
    [0, 0, 0, 320],
    [0, 1, 320, 640],
    [0, 2, 640, 1000],
  ]);
  expect(rangesOf(16, 3)).toEqual([[0, 2, 0, 16]]);
  expect(rangesOf(2 ** 20 + 80, 2)).toEqual([
    [0, 0, 0, 2 ** 19],
    [0, 1, 2 ** 19, 2 ** 20],
    [1, 0, 2 ** 20, 2 ** 20 + 64],
    [1, 1, 2 ** 20 + 64, 2 ** 20 + 80],
  ]);
});

test.each([
  [0, 3],
  [16, 3],
  [2 ** 20, 7],
  [3 * 2 ** 20 + 80, 2],
  [5 * 2 ** 20 + 63, 16],
])('what ranks own of an arena of %i, divided among %i, is what its pieces say', (length, ranks) => {
  const pieces = piecesOf(length, ranks);
  const owned = Array.from({ length: ranks }, (_, rank) => {
    const sizes = pieces.filter(({ owner }) => owner === rank).map(({ start, end }) => end - start);
    return {
      pieces: sizes.length,
      elements: sizes.reduce((sum, size) => sum + size, 0),
      largest: Math.max(0, ...sizes),
    };
  });
  expect(ownedOf(length, ranks)).toEqual(owned);
});

test('workers come by node, then by worker', () => {
  expect(workersOf({ nodes: 2, workers_per_node: 2 }).map(nameOf)).toEqual([
    'node-0.worker-0',
    'node-0.worker-1',
    'node-1.worker-0',
    'node-1.worker-1',
  ]);
});
