/**
 * A worker thread opens a device, makes the roles placed on it, and starts their supervisor and the agent of its
 * system.
 */
import { z } from 'zod';
import { enterWorker } from '../runtime/cluster/index.ts';
import { topologySchema } from '../topology/index.ts';
import { batchSourceSchema, openBatches } from './batch_source.ts';
import { runSpecOf } from '../actors/placement/run_spec.ts';
import { castOf } from '../actors/placement/cast.ts';
import { roleSupervision, rolesSpec, spawnAgent } from './cluster.ts';
import { freshOf, openRoles } from './open_roles.ts';
import { routingOf, routingSourceSchema } from './open_routing.ts';

const startDataSchema = z.object({
  topology: topologySchema,
  baseDir: z.string(),
  sublayersDigest: z.string().nullable(),
  observes: z.boolean(),
  vocabulary: z.int(),
  gen: z.int(),
  roles: z.array(z.string()),
  source: batchSourceSchema,
  routing: routingSourceSchema.nullable(),
  fresh: z.array(z.string()).nullable(),
  device: z.string(),
});
export type WorkerStartData = z.input<typeof startDataSchema>;

await enterWorker(async ({ createSystem, data, name, fail }) => {
  const { gen, roles, source, routing, fresh: names, device: choice, ...drawn } = startDataSchema.parse(data);
  const { topology } = drawn;
  const hosts = (role: string): boolean => roles.includes(role);
  const runSpec = await runSpecOf(drawn);
  const batches = openBatches(source, topology);
  const fresh = freshOf(names);
  const hosted = { runSpec, batches, ...routingOf(routing), fresh, hosts };
  const { device, specs } = await openRoles({ choice, ...hosted, onLost: fail });
  const system = createSystem({ supervision: roleSupervision });
  system.enter(gen);
  system.start(rolesSpec(name, specs));
  spawnAgent(
    system,
    castOf(runSpec).filter(({ role }) => hosts(role)),
    { device },
  );
  return () => device.close();
});
