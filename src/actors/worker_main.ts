/** What runs in a worker thread: a device, the roles placed here, their supervisor, and the usher. */
import { z } from 'zod';
import { enterWorker } from '../runtime/cluster/index.ts';
import { topologySchema } from '../topology/index.ts';
import { batchSourceSchema, openBatches } from './batch_source.ts';
import { blueprintOf } from './blueprint.ts';
import { castOf } from './cast.ts';
import { roleSupervision, rolesSpec, spawnUsher } from './crew.ts';
import { openCompany } from './open_company.ts';

const birthSchema = z.object({
  topology: topologySchema,
  baseDir: z.string(),
  sublayersDigest: z.string().nullable(),
  vocabulary: z.int(),
  gen: z.int(),
  roles: z.array(z.string()),
  source: batchSourceSchema,
  device: z.string(),
});
export type WorkerBirth = z.input<typeof birthSchema>;

await enterWorker(async ({ createSystem, data, name, fail }) => {
  const { gen, roles, source, device: choice, ...drawn } = birthSchema.parse(data);
  const { topology } = drawn;
  const hosts = (role: string): boolean => roles.includes(role);
  const blueprint = await blueprintOf(drawn);
  const batches = openBatches(source, topology);
  const { device, specs } = await openCompany({ choice, blueprint, batches, hosts, onLost: fail });
  const system = createSystem({ supervision: roleSupervision });
  system.enter(gen);
  system.start(rolesSpec(name, specs));
  spawnUsher(
    system,
    castOf(blueprint).filter(({ role }) => hosts(role)),
    { device },
  );
  return () => device.close();
});
