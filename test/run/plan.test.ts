/** The plan's memory and FLOPs against the run that it is of: the bytes of devices after all roles were made. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { hostRoles } from '../../src/actors/placement/host_roles.ts';
import { planRun, type Plan } from '../../src/run/plan.ts';
import { CpuDevice } from '../../src/kernels/cpu/device.ts';
import { DryDevice } from '../../src/kernels/cpu/dry_device.ts';
import type { Slice } from '../../src/kernels/device.ts';
import type { Topology } from '../../src/topology/index.ts';
import { denseTopology, drawn, hashedBatches, play, smallTopology, wide } from '../actors/kit.ts';

const root = mkdtempSync(join(tmpdir(), 'troupe-plan-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

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
  'a head that is the embedding': smallTopology({ ...wide, 'model.tie_word_embeddings': true }),
  Muon: smallTopology({ ...wide, 'optimizer.name': 'muon' }),
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

/** Makes the roles of one worker of a plan on a device of so many bytes. */
async function gathered({ runSpec }: Plan, roles: readonly string[], bytes: number): Promise<WatchedDevice> {
  const device = new WatchedDevice({ bytes });
  const hosts = (role: string): boolean => roles.includes(role);
  try {
    await hostRoles({ runSpec, batches: hashedBatches(runSpec.topology), device, hosts });
    return device;
  } finally {
    await device.close();
  }
}

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
    const runSpec = await drawn({ ...topology, cluster: { ...topology.cluster, device } });
    const { workers } = await planRun(runSpec);
    for (const { roles, sliceBytes, scratchBytes, totalBytes } of workers) {
      const dry = new DryDevice({ sharesMemory: device === 'cpu' });
      const hosts = (role: string): boolean => roles.includes(role);
      await hostRoles({ runSpec, batches: hashedBatches(topology), device: dry, hosts });
      const { usedBytes, peakBytes } = dry.memory;
      expect({ usedBytes, peakBytes }).toEqual({ usedBytes: sliceBytes + scratchBytes, peakBytes: totalBytes });
    }
  });
});

it('plans a mesh of 6,144 stage ranks, each on a worker of its own', async () => {
  const runSpec = await drawn(
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
  const { workers, traffic } = await planRun(runSpec);
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
    const runSpec = await drawn(topology);
    const { mesh, vocabulary } = runSpec;
    const { workers } = await planRun(runSpec);
    for (const { actors, flops } of workers) {
      expect(actors.reduce((sum, actor) => sum + actor.flops, 0)).toBe(flops);
    }
    const [D, T, tokens] = [32, 16, 8 * 16];
    const forward = 2 * (4 * (4 * D * D + 2 * D * 64) + D * vocabulary) + 4 * 4 * T * D;
    expect(mesh.moeLayers.length === 2 || topology.moe === undefined).toBe(true);
    expect(workers.reduce((sum, { flops }) => sum + flops, 0)).toBe(3 * forward * tokens);
  }
});
