/** What runs in a worker thread: a device, the roles placed here, and their supervisor. */
import { z } from 'zod';
import { CpuDevice } from '../kernels/cpu/device.ts';
import { enterWorker } from '../runtime/cluster/index.ts';
import { meshOf, topologySchema } from '../topology/index.ts';
import { batchSourceSchema, openBatches } from './batch_source.ts';
import { gather } from './company.ts';
import { roleSupervision, rolesSpec } from './crew.ts';

const birthSchema = z.object({
  topology: topologySchema,
  vocabulary: z.int(),
  gen: z.int(),
  roles: z.array(z.string()),
  source: batchSourceSchema,
});
export type WorkerBirth = z.input<typeof birthSchema>;

await enterWorker(async ({ createSystem, data, index }) => {
  const { topology, vocabulary, gen, roles, source } = birthSchema.parse(data);
  const device = new CpuDevice({ bytes: topology.cluster.memory_per_worker });
  const hosts = (role: string): boolean => roles.includes(role);
  const mesh = meshOf(topology);
  const batches = openBatches(source, topology);
  const specs = await gather({ topology, mesh, vocabulary, batches, device, hosts });
  const system = createSystem({ supervision: roleSupervision });
  system.enter(gen);
  system.start(rolesSpec(`w${index}`, specs));
  return () => device.close();
});
