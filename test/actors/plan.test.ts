/**
 * The plan against the run that it is of: the bytes of slices and devices after a company was gathered, and the bytes of
 * tensors that its actors send each other in a step.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { blueprintOf } from '../../src/actors/blueprint.ts';
import { castOf } from '../../src/actors/cast.ts';
import { gather } from '../../src/actors/company.ts';
import { planRun, type Plan } from '../../src/actors/plan.ts';
import { run } from '../../src/actors/run.ts';
import { CpuDevice } from '../../src/kernels/cpu/device.ts';
import { DryDevice } from '../../src/kernels/cpu/dry_device.ts';
import type { Slice } from '../../src/kernels/device.ts';
import { isTensor, type DeliveryFilter, type Envelope } from '../../src/runtime/index.ts';
import type { Topology, Worker } from '../../src/topology/index.ts';
import { denseTopology, hashedBatches, play, smallTopology, drawn } from './kit.ts';
import { RunFolder } from './run_kit.ts';

const root = mkdtempSync(join(tmpdir(), 'troupe-plan-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const wide = {
  'parallelism.data_parallel': 2,
  'parallelism.expert_parallel': 2,
  'parallelism.pipeline_parallel': 2,
  'parallelism.micro_batches': 2,
  'cluster.nodes': 2,
  'cluster.workers_per_node': 2,
};

const topologies: Readonly<Record<string, Topology>> = {
  'one worker': smallTopology(),
  'a dense model': denseTopology({ 'parallelism.data_parallel': 2, 'cluster.workers_per_node': 2 }),
  'a pipeline with microbatches': smallTopology({
    'parallelism.pipeline_parallel': 4,
    'parallelism.micro_batches': 8,
    'cluster.workers_per_node': 3,
  }),
  'two nodes': smallTopology(wide),
  'fp32 dispatch without jitter': smallTopology({ ...wide, 'moe.dispatch_dtype': 'fp32', 'moe.jitter_eps': 0 }),
  'more workers than roles': smallTopology({ 'cluster.workers_per_node': 6 }),
};

/** The real device, which remembers its slices. */
class WatchedDevice extends CpuDevice {
  readonly slices: Slice[] = [];

  override slice(owner: string, budgetBytes: number): Slice {
    const slice = super.slice(owner, budgetBytes);
    this.slices.push(slice);
    return slice;
  }
}

/** Gathers the company of one worker of a plan on a device of so many bytes. */
async function gathered({ blueprint }: Plan, roles: readonly string[], bytes: number): Promise<WatchedDevice> {
  const device = new WatchedDevice({ bytes });
  const hosts = (role: string): boolean => roles.includes(role);
  try {
    await gather({ blueprint, batches: hashedBatches(blueprint.topology), device, hosts });
    return device;
  } finally {
    await device.close();
  }
}

const nameOf = ({ node, worker }: Worker): string => `${node}.${worker}`;

const pageBytes = 2 ** 16;

describe.each(Object.entries(topologies))('the memory of %s', (_, topology) => {
  it('is what its slices and devices take, to the byte', async () => {
    const plan = await planRun(await drawn(topology));
    for (const { roles, actors, sliceBytes, scratchBytes } of plan.workers) {
      const device = await gathered(plan, roles, topology.cluster.memory_per_worker);
      const planned = actors.map(({ owner, memory: { parameters, gradients, moments, activations } }) => [
        owner,
        parameters + gradients + moments + activations,
      ]);
      expect(planned).toEqual(device.slices.map(({ owner, usedBytes }) => [owner, usedBytes]));
      expect(sliceBytes + scratchBytes).toBe(device.usedBytes);
    }
  });

  it('is the least with which it starts', async () => {
    const plan = await planRun(await drawn(topology));
    for (const { roles, totalBytes } of plan.workers.filter((worker) => worker.roles.length > 0)) {
      await gathered(plan, roles, totalBytes);
      await expect(gathered(plan, roles, totalBytes - pageBytes)).rejects.toMatchObject({ tag: 'OutOfSliceMemory' });
    }
  });
});

describe.each(Object.entries(topologies))('each distinct role of %s is rehearsed once', (_, topology) => {
  it.each(['cpu', 'webgpu'])('and a worker on %s takes what all of its roles take together', async (device) => {
    const blueprint = await drawn({ ...topology, cluster: { ...topology.cluster, device } });
    const { workers } = await planRun(blueprint);
    for (const { roles, sliceBytes, scratchBytes, totalBytes } of workers) {
      const dry = new DryDevice({ sharesMemory: device === 'cpu' });
      const hosts = (role: string): boolean => roles.includes(role);
      await gather({ blueprint, batches: hashedBatches(topology), device: dry, hosts });
      const { usedBytes, peakBytes } = dry.memory;
      expect({ usedBytes, peakBytes }).toEqual({ usedBytes: sliceBytes + scratchBytes, peakBytes: totalBytes });
    }
  });
});

it('plans a mesh of 6,144 stage ranks, each on a worker of its own', async () => {
  const blueprint = await drawn(
    smallTopology({
      'model.num_hidden_layers': 96,
      'parallelism.pipeline_parallel': 96,
      'parallelism.data_parallel': 64,
      'parallelism.micro_batches': 96,
      'training.global_batch_size': 64 * 96,
      'cluster.nodes': 64 * 96,
    }),
  );
  const rehearsed = vi.spyOn(DryDevice.prototype, 'compile');
  const { workers, traffic } = await planRun(blueprint);
  const devices = new Set(rehearsed.mock.contexts);
  rehearsed.mockRestore();
  expect(workers.map(({ roles }) => roles.filter((role) => role.startsWith('stage')).length)).toEqual(
    workers.map(() => 1),
  );
  // A stage differs by its pipeline rank, and by the blocks of gradients that its data rank keeps.
  expect(devices.size).toBeLessThan(3 * 96 + 96);
  // Every replica sends its 63 others, and stages their neighbours both ways.
  const crossing = traffic.links.filter(({ allReduce }) => allReduce > 0);
  expect(crossing).toHaveLength(96 * 64 * 63);
});

it('is enough for a whole run, evaluation, checkpoint and all', async () => {
  const settings = { 'parallelism.pipeline_parallel': 2, 'parallelism.micro_batches': 4 };
  const [{ totalBytes }] = (await planRun(await drawn(smallTopology(settings)))).workers;
  const topology = smallTopology({ ...settings, 'cluster.memory_per_worker': totalBytes });
  const { curve } = await play(topology, { directory: join(root, 'tight') });
  expect(curve).toHaveLength(4);
});

it('fits where memory_per_worker has room for every worker, and not where one has too little', async () => {
  const needed = (await planRun(await drawn(topologies['two nodes']))).workers.map(({ totalBytes }) => totalBytes);
  const most = Math.max(...needed);
  const fitting = async (memory: number): Promise<readonly boolean[]> => {
    const { workers } = await planRun(await drawn(smallTopology({ ...wide, 'cluster.memory_per_worker': memory })));
    return workers.map(({ fits }) => fits);
  };
  expect(await fitting(most)).toEqual(needed.map(() => true));
  expect(await fitting(most - pageBytes)).toEqual(needed.map((bytes) => bytes <= most - pageBytes));
});

it('counts parameters, gradients and moments of each actor', async () => {
  const { workers } = await planRun(await drawn(topologies['two nodes']));
  const expert = workers.flatMap(({ actors }) => actors).find(({ owner }) => owner === 'run/expert-l1-e0')!;
  const parameters = 2 * 32 * 64 * 4;
  // Two ranks of two microbatches each: a block of either, one leaf in the making.
  expect(expert).toMatchObject({
    role: 'experts-l1-g0',
    memory: { parameters, gradients: 3 * parameters, moments: 2 * parameters },
  });
});

it('divides the FLOPs of a step among actors, and counts all of them', async () => {
  for (const topology of Object.values(topologies)) {
    const blueprint = await drawn(topology);
    const { mesh, vocabulary } = blueprint;
    const { workers } = await planRun(blueprint);
    for (const { actors, flops } of workers) {
      expect(actors.reduce((sum, actor) => sum + actor.flops, 0)).toBe(flops);
    }
    const [D, T, tokens] = [32, 16, 8 * 16];
    const forward = 2 * (4 * (4 * D * D + 2 * D * 64) + D * vocabulary) + 4 * 4 * T * D;
    expect(mesh.moeLayers.length === 2 || topology.moe === undefined).toBe(true);
    expect(workers.reduce((sum, { flops }) => sum + flops, 0)).toBe(3 * forward * tokens);
  }
});

/** Causes of traffic by the message that carries it. */
const causes: Readonly<Record<string, 'dispatch' | 'handOver' | 'pipeline' | 'allReduce'>> = {
  dispatch: 'dispatch',
  outputs: 'dispatch',
  outputsGradient: 'dispatch',
  rowsGradient: 'dispatch',
  route: 'handOver',
  combined: 'handOver',
  combineGradient: 'handOver',
  routed: 'handOver',
  activations: 'pipeline',
  activationsGradient: 'pipeline',
  block: 'allReduce',
  sum: 'allReduce',
};

interface Counted {
  messages: number;
  dispatch: number;
  handOver: number;
  pipeline: number;
  allReduce: number;
}

/** Counts the tensors that actors send, as if each lived on the worker where the plan has it. */
class TensorCount implements DeliveryFilter {
  readonly links = new Map<string, Counted>();
  private readonly workers: ReadonlyMap<string, string>;

  constructor({ blueprint, workers }: Plan) {
    const byRole = new Map(workers.flatMap(({ roles, worker }) => roles.map((role) => [role, nameOf(worker)])));
    this.workers = new Map(castOf(blueprint).map(({ address, role }) => [address, byRole.get(role)!]));
  }

  judge({ route, args }: Envelope): null {
    const cause = causes[route.message];
    if (route.kind !== 'tell' || cause === undefined) return null;
    const key = `${this.workers.get(route.from)} ${this.workers.get(route.to)}`;
    const link = this.links.get(key) ?? { messages: 0, dispatch: 0, handOver: 0, pipeline: 0, allReduce: 0 };
    link.messages++;
    for (const value of Object.values(args ?? {})) if (isTensor(value)) link[cause] += value.data.byteLength;
    this.links.set(key, link);
    return null;
  }
}

const steps = 2;

/** A plan, and what was sent in one of the steps of the run. */
async function sentBy(topology: Topology, name: string): Promise<{ plan: Plan; sent: Map<string, Counted> }> {
  const plan = await planRun(await drawn(topology));
  const count = new TensorCount(plan);
  await play(topology, { directory: join(root, name), system: { filter: count } });
  const each = (value: Counted): Counted => ({
    messages: value.messages / steps,
    dispatch: value.dispatch / steps,
    handOver: value.handOver / steps,
    pipeline: value.pipeline / steps,
    allReduce: value.allReduce / steps,
  });
  return { plan, sent: new Map([...count.links].map(([key, value]) => [key, each(value)])) };
}

const training = { 'training.steps': steps, 'training.eval_interval': 0 };
const everyExpert = { 'moe.top_k': 4, 'moe.capacity_factor': 1 };

describe('the traffic of a step', () => {
  const cases: Readonly<Record<string, Topology>> = {
    'two nodes': smallTopology({ ...wide, ...training, ...everyExpert }),
    'fp32 dispatch': smallTopology({ ...wide, ...training, ...everyExpert, 'moe.dispatch_dtype': 'fp32' }),
    'one worker': smallTopology({ ...training, ...everyExpert, 'parallelism.micro_batches': 4 }),
    'replicas whose blocks are uneven': smallTopology({
      ...training,
      ...everyExpert,
      'training.global_batch_size': 18,
      'parallelism.data_parallel': 3,
      'parallelism.micro_batches': 3,
      'cluster.nodes': 3,
    }),
    'a dense pipeline': denseTopology({
      ...training,
      'parallelism.pipeline_parallel': 4,
      'parallelism.data_parallel': 2,
      'parallelism.micro_batches': 4,
      'cluster.nodes': 2,
      'cluster.workers_per_node': 3,
    }),
  };

  it.each(Object.keys(cases))('is sent to the byte, where every token visits every expert: %s', async (name) => {
    const { plan, sent } = await sentBy(cases[name], name);
    const planned = plan.traffic.links.map((link) => {
      const { messages, handOver, pipeline, allReduce } = link;
      expect(link.dispatchEven).toBe(link.dispatchMost);
      const counted = { messages, dispatch: link.dispatchMost, handOver, pipeline, allReduce };
      return [`${nameOf(link.from)} ${nameOf(link.to)}`, counted] as const;
    });
    expect(Object.fromEntries(sent)).toEqual(Object.fromEntries(planned));
  });

  it.each([
    ['top-1', 1, 1.25],
    ['top-2', 2, 1],
    ['a capacity that leaves most tokens behind', 1, 0.25],
  ])('is at most what capacity allows, on every link and transport: %s', async (name, topK, factor) => {
    const moe = { 'moe.top_k': topK, 'moe.capacity_factor': factor, 'moe.min_capacity': 1 };
    const { plan, sent } = await sentBy(smallTopology({ ...wide, ...training, ...moe }), name);
    const byTransport = { local: 0, thread: 0, nats: 0 };
    for (const link of plan.traffic.links) {
      const { dispatch, handOver, pipeline, allReduce } = sent.get(`${nameOf(link.from)} ${nameOf(link.to)}`)!;
      expect({ handOver, pipeline, allReduce }).toEqual({
        handOver: link.handOver,
        pipeline: link.pipeline,
        allReduce: link.allReduce,
      });
      expect(dispatch).toBeLessThanOrEqual(link.dispatchMost);
      byTransport[link.transport] += dispatch;
    }
    for (const [transport, bytes] of Object.entries(byTransport)) {
      expect(bytes).toBeLessThanOrEqual(
        Object.entries(plan.traffic.byTransport).find(([other]) => other === transport)![1].dispatchMost,
      );
    }
  });
});

const metricsSchema = z.object({ bytes_sent: z.record(z.string(), z.number()) });

it('is what the threads of a run count, but for headers and control messages', async () => {
  using folder = new RunFolder();
  const topology = smallTopology({
    ...training,
    ...everyExpert,
    'cluster.workers_per_node': 2,
    'cluster.nats.url': 'none',
    'parallelism.data_parallel': 2,
    'parallelism.expert_parallel': 2,
    'data.blend': [{ name: 'words', glob: '*.txt' }],
    'data.held_out': 0.2,
  });
  const { signal } = new AbortController();
  const options = { baseDir: folder.path, runDir: join(folder.path, 'run'), resume: false, signal };
  mkdirSync(options.runDir);
  await run({ ...options, topology, observe: () => undefined });

  const { byTransport } = (await planRun(await blueprintOf({ topology, baseDir: folder.path, vocabulary: 256 })))
    .traffic;
  const lines = readFileSync(join(options.runDir, 'metrics.jsonl'), 'utf8').trimEnd().split('\n');
  expect(lines).toHaveLength(steps);
  for (const line of lines) {
    const { bytes_sent } = metricsSchema.parse(JSON.parse(line));
    expect(bytes_sent.nats ?? 0).toBe(0);
    for (const transport of ['local', 'thread'] as const) {
      const { messages, dispatchMost, handOver, pipeline, allReduce } = byTransport[transport];
      const excess = bytes_sent[transport] - (dispatchMost + handOver + pipeline + allReduce);
      expect(excess).toBeGreaterThan(0);
      expect(excess / messages).toBeLessThan(2048);
    }
  }
});
