/**
 * A worker thread opens a device, makes the roles placed on it, and starts their supervisor and the agent of its
 * system. The agent hears of each assignment, and the roles change with it.
 */
import { z } from 'zod';
import { enterWorker } from '../runtime/cluster/index.ts';
import { topologySchema } from '../topology/index.ts';
import { batchSourceSchema, openBatches } from './batch_source.ts';
import { runSpecOf } from '../actors/placement/run_spec.ts';
import { castOf } from '../actors/placement/cast.ts';
import type { CastEntry } from '../actors/placement/cast_entry.ts';
import { nodeOfSystem, placesOf, threadsOf } from '../actors/placement/directory.ts';
import { rolesOf } from '../actors/placement/next_assignment.ts';
import { roleSupervision, spawnAgent } from './cluster.ts';
import { HostedRoles } from './hosted_roles.ts';
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

await enterWorker(async ({ createSystem, data, name, transport, fail }) => {
  const { gen, roles: atFirst, source, routing, fresh: names, device: choice, ...drawn } = startDataSchema.parse(data);
  const runSpec = await runSpecOf(drawn);
  const cast = castOf(runSpec);
  const batches = openBatches(source, drawn.topology);
  const fresh = freshOf(names);
  const system = createSystem({ supervision: roleSupervision });
  system.enter(gen);
  const hosted = new HostedRoles(system, (roles) => {
    const hosts = (role: string): boolean => roles.includes(role);
    return openRoles({ choice, runSpec, batches, ...routingOf(routing), fresh, hosts, onLost: fail });
  });
  const host = async (roles: readonly string[]): Promise<readonly CastEntry[]> => {
    await hosted.host(roles);
    return cast.filter(({ role }) => roles.includes(role));
  };
  spawnAgent(system, await host(atFirst), {
    device: () => hosted.device,
    place: (assignment) => {
      transport.place(threadsOf(placesOf(cast, assignment), nodeOfSystem(name)));
      return host(rolesOf(assignment, name));
    },
  });
  return () => hosted.close();
});
