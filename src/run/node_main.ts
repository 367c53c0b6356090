/**
 * The process of a node registers, waits for an assignment that names it, and takes its part. Its main thread does no
 * arithmetic; on the leader it hosts the trainer.
 */
import { z } from 'zod';
import { enterNode } from '../runtime/cluster/index.ts';
import { NatsConnection, NatsKvStore, Registration } from '../runtime/cluster/nats.ts';
import { SystemClock } from '../runtime/index.ts';
import { devicesOf, topologySchema } from '../topology/index.ts';
import { batchSourceSchema } from './batch_source.ts';
import { runSpecOf } from '../actors/placement/run_spec.ts';
import { chosenDevice } from './chosen_device.ts';
import { awaitAssignment, reportReady } from './assignment.ts';
import { NodeRoles } from './node_roles.ts';
import { routingSourceSchema } from './open_routing.ts';
import { PatientKvStore } from './patient_kv_store.ts';

const startDataSchema = z.object({
  /** Which of the topology's nodes it is. */
  index: z.int(),
  /** Which life of the node it is. */
  incarnation: z.int(),
  topology: topologySchema,
  baseDir: z.string(),
  sublayersDigest: z.string().nullable(),
  observes: z.boolean(),
  vocabulary: z.int(),
  source: batchSourceSchema,
  routing: routingSourceSchema.nullable(),
  fresh: z.array(z.string()).nullable(),
  server: z.object({ url: z.string(), token: z.string().exactOptional(), log: z.string().exactOptional() }),
  cluster: z.string(),
  runId: z.string(),
  evaluations: z.array(z.object({ name: z.string(), microbatches: z.int() })),
});
export type NodeStartData = z.input<typeof startDataSchema>;

const clock = new SystemClock();

await enterNode(async (scope) => {
  const startData = startDataSchema.parse(scope.data);
  const { incarnation, server, cluster, runId, topology, evaluations, source, routing, fresh } = startData;
  const { lease_ms: leaseMs } = topology.recovery;
  // How long a node waits for the server: as long as the launcher waits for the node.
  const patienceMs = topology.cluster.wait * 1000;
  const stopping = new AbortController();
  void scope.stopping.then(() => stopping.abort());
  const control = await NatsConnection.openPatiently(server, `${cluster}/${scope.name} control`, {
    clock,
    patienceMs,
    signal: stopping.signal,
  });
  const store = new PatientKvStore(await NatsKvStore.open(control, cluster), clock, stopping.signal);
  const chosen = await Promise.all(devicesOf(topology.cluster, startData.index).map(chosenDevice));
  const registration = await Registration.join({
    store,
    clock,
    member: {
      node: scope.name,
      runId,
      incarnation,
      workers: chosen.map(({ numerics }) => numerics),
    },
    beatMs: leaseMs / 4,
    // The launcher knows that no other process of this name lives.
    takeOver: true,
    onReplaced: scope.fail,
  });
  const assignment = await awaitAssignment(store, runId, { node: scope.name, incarnation });
  let roles: NodeRoles | null = null;
  if (assignment !== null) {
    const runSpec = await runSpecOf(startData);
    const devices = chosen.map(({ choice }) => choice);
    const joining = { server, cluster, runId, incarnation, control, store, devices, patienceMs, clock };
    const run = { runSpec, source, routing, fresh, evaluations };
    roles = await NodeRoles.start({ scope, ...run, ...joining, onDismissed: () => undefined }, assignment);
    const facts = chosen.map((device) => device.facts);
    await reportReady(store, { runId, gen: assignment.gen }, { node: scope.name, devices: facts });
  }
  return async () => {
    registration.stop();
    await roles?.stop();
    await control.close();
  };
});
