/** What runs in a worker thread: a device, the roles placed here, their supervisor, and the usher. */
import { z } from 'zod';
import { CpuDevice } from '../kernels/cpu/device.ts';
import { enterWorker } from '../runtime/cluster/index.ts';
import { meshOf, topologySchema } from '../topology/index.ts';
import { batchSourceSchema, openBatches } from './batch_source.ts';
import { castOf } from './cast.ts';
import { gather, modelsOf } from './company.ts';
import { roleSupervision, rolesSpec, spawnUsher } from './crew.ts';

const birthSchema = z.object({
  topology: topologySchema,
  vocabulary: z.int(),
  gen: z.int(),
  roles: z.array(z.string()),
  source: batchSourceSchema,
});
export type WorkerBirth = z.input<typeof birthSchema>;

await enterWorker(async ({ createSystem, data, name }) => {
  const { topology, vocabulary, gen, roles, source } = birthSchema.parse(data);
  const device = new CpuDevice({ bytes: topology.cluster.memory_per_worker });
  const hosts = (role: string): boolean => roles.includes(role);
  const mesh = meshOf(topology);
  const batches = openBatches(source, topology);
  const specs = await gather({ topology, mesh, vocabulary, batches, device, hosts });
  const { shape, model } = modelsOf(topology, mesh, vocabulary);
  const system = createSystem({ supervision: roleSupervision });
  system.enter(gen);
  system.start(rolesSpec(name, specs));
  spawnUsher(
    system,
    castOf(mesh, model, shape).filter(({ role }) => hosts(role)),
  );
  return () => device.close();
});
