/**
 * The process of a node that the launcher has started connects, measures its devices, and takes its part in the run. Its main
 * thread does no arithmetic; on the leader it hosts the trainer.
 */
import { z } from 'zod';
import { enterNode } from '../runtime/cluster/index.ts';
import { NatsConnection, NatsKvStore } from '../runtime/cluster/nats.ts';
import { SystemClock } from '../runtime/index.ts';
import { devicesOf } from '../topology/index.ts';
import { chosenDevice } from './chosen_device.ts';
import { takePart } from './node_part.ts';
import { PatientKvStore } from './patient_kv_store.ts';
import { runFactsSchema } from './run_facts.ts';

const startDataSchema = z.object({
  /** Which of the topology's nodes it is. */
  index: z.int(),
  /** Which life of the node it is. */
  incarnation: z.int(),
  server: z.object({ url: z.string(), token: z.string().exactOptional(), log: z.string().exactOptional() }),
  cluster: z.string(),
  facts: runFactsSchema,
});
export type NodeStartData = z.input<typeof startDataSchema>;

const clock = new SystemClock();

await enterNode(async (scope) => {
  const { index, incarnation, server, cluster, facts } = startDataSchema.parse(scope.data);
  const { topology } = facts;
  const stopping = new AbortController();
  void scope.stopping.then(() => stopping.abort());
  const control = await NatsConnection.openPatiently(server, `${cluster}/${scope.name} control`, {
    clock,
    patienceMs: topology.cluster.wait * 1000,
    signal: stopping.signal,
  });
  const store = new PatientKvStore(await NatsKvStore.open(control, cluster), clock, stopping.signal);
  const chosen = await Promise.all(devicesOf(topology.cluster, index).map(chosenDevice));
  const joining = { scope, facts, incarnation, server, cluster, control, store, chosen, clock };
  // The launcher knows that no other process of this name lives, and ends this one when its work is elsewhere.
  const leave = await takePart({ ...joining, takeOver: true, onDismissed: () => undefined });
  return async () => {
    await leave();
    await control.close();
  };
});
