/** What runs in a worker thread: a device, the roles placed here, their supervisor, and the usher. */
import { z } from 'zod';
import { CpuDevice } from '../kernels/cpu/device.ts';
import { enterWorker } from '../runtime/cluster/index.ts';
import { topologySchema } from '../topology/index.ts';
import { batchSourceSchema, openBatches } from './batch_source.ts';
import { blueprintOf } from './blueprint.ts';
import { castOf } from './cast.ts';
import { gather } from './company.ts';
import { roleSupervision, rolesSpec, spawnUsher } from './crew.ts';

const birthSchema = z.object({
  topology: topologySchema,
  baseDir: z.string(),
  sublayersDigest: z.string().nullable(),
  vocabulary: z.int(),
  gen: z.int(),
  roles: z.array(z.string()),
  source: batchSourceSchema,
});
export type WorkerBirth = z.input<typeof birthSchema>;

await enterWorker(async ({ createSystem, data, name }) => {
  const { gen, roles, source, ...drawn } = birthSchema.parse(data);
  const { topology } = drawn;
  const device = new CpuDevice({ bytes: topology.cluster.memory_per_worker });
  const hosts = (role: string): boolean => roles.includes(role);
  const blueprint = await blueprintOf(drawn);
  const batches = openBatches(source, topology);
  const specs = await gather({ blueprint, batches, device, hosts });
  const system = createSystem({ supervision: roleSupervision });
  system.enter(gen);
  system.start(rolesSpec(name, specs));
  spawnUsher(
    system,
    castOf(blueprint).filter(({ role }) => hosts(role)),
  );
  return () => device.close();
});
