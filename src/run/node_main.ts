/**
 * The process of a node registers, waits for the assignment, starts its workers with the roles placed on it, and joins
 * them to the other nodes. Its main thread does no arithmetic; on the first node it hosts trainer and recovery.
 */
import { z } from 'zod';
import { enterNode, type NodeScope } from '../runtime/cluster/index.ts';
import { GenRegister, NatsConnection, NatsKvStore, NatsTransport, Registration } from '../runtime/cluster/nats.ts';
import { ActorSystem, SystemClock } from '../runtime/index.ts';
import { devicesOf, topologySchema } from '../topology/index.ts';
import { recoveryAddress } from '../actors/placement/addresses.ts';
import { batchSourceSchema } from './batch_source.ts';
import { runSpecOf } from '../actors/placement/run_spec.ts';
import { castOf } from '../actors/placement/cast.ts';
import { chosenDevice, type ChosenDevice } from './chosen_device.ts';
import { roleSupervision, RunFailed, spawnTrainer, spawnAgent } from './cluster.ts';
import { KvDecisionStore } from '../actors/training/kv_decision_store.ts';
import { largestMessageBytes, linkLimitsFor } from '../actors/placement/message_sizes.ts';
import { awaitAssignment, reportReady, type Assignment } from './assignment.ts';
import { routingSourceSchema } from './open_routing.ts';
import { PatientKvStore } from './patient_kv_store.ts';
import { recoveryProtocol } from '../actors/protocol/recovery.ts';
import { Recovery } from '../actors/placement/recovery.ts';
import { startRoleWorkers } from './role_workers.ts';
import { nodeOfSystem, directoryOf } from '../actors/placement/directory.ts';

const startDataSchema = z.object({
  /** Which of the topology's nodes it is. */
  index: z.int(),
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
  gen: z.int(),
  evaluations: z.array(z.object({ name: z.string(), microbatches: z.int() })),
});
export type NodeStartData = z.input<typeof startDataSchema>;
type StartData = z.output<typeof startDataSchema>;

const clock = new SystemClock();

await enterNode(async (scope) => {
  const startData = startDataSchema.parse(scope.data);
  const { server, cluster, runId, gen, topology } = startData;
  const { lease_ms: leaseMs } = topology.recovery;
  const stopping = new AbortController();
  void scope.stopping.then(() => stopping.abort());
  const patience = { clock, patienceMs: patienceOf(startData), signal: stopping.signal };
  const control = await NatsConnection.openPatiently(server, `${cluster}/${scope.name} control`, patience);
  const incarnation = clock.wallMs();
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
  const assignment = await awaitAssignment(store, { runId, gen });
  const stopRoles =
    assignment === null
      ? null
      : await startRoles(scope, startData, { control, incarnation, store, assignment, chosen });
  if (stopRoles !== null) {
    const devices = chosen.map(({ facts }) => facts);
    await reportReady(store, { runId, gen }, { node: scope.name, devices });
  }
  return async () => {
    registration.stop();
    await stopRoles?.();
    await control.close();
  };
});

/** How long a node waits for the server, in ms: as long as the launcher waits for the node. */
function patienceOf({ topology }: StartData): number {
  return topology.cluster.wait * 1000;
}

interface Joined {
  readonly control: NatsConnection;
  /** Which life of the node this is. */
  readonly incarnation: number;
  readonly store: PatientKvStore;
  readonly assignment: Assignment;
  /** The devices of its workers, in order. */
  readonly chosen: readonly ChosenDevice[];
}

/** Starts workers, transport and control actors; returns what stops them. */
async function startRoles(
  scope: NodeScope,
  startData: StartData,
  { control, incarnation, store, assignment, chosen }: Joined,
): Promise<() => Promise<void>> {
  const { cluster, runId, gen, server, evaluations, source, routing, fresh } = startData;
  const runSpec = await runSpecOf(startData);
  const cast = castOf(runSpec);
  const largestBytes = largestMessageBytes(cast);
  const [leader] = assignment.nodes;
  const placement = new Map(Object.entries(assignment.placement));
  const places = directoryOf({ cast, placement, leader, writer: assignment.writer, systems: assignment.systems });
  const host = startRoleWorkers({
    node: scope.name,
    devices: chosen.map(({ choice }) => choice),
    placement,
    places,
    largestBytes,
    run: { runSpec, gen, source, routing, fresh },
    onFailure: scope.fail,
  });
  const transport = await NatsTransport.open({
    server,
    control,
    cluster,
    runId,
    node: scope.name,
    incarnation,
    incarnations: new Map(Object.entries(assignment.incarnations)),
    patienceMs: patienceOf(startData),
    limits: linkLimitsFor(largestBytes),
    clock,
    near: host.transport,
    directory: (address) => {
      const system = places.get(address);
      return system === undefined ? null : nodeOfSystem(system);
    },
    events: {
      broken: (error) => {
        // Control is sent again until it arrives: it breaks only where too much waits for a node.
        if (error.lane === 'control') scope.fail(error);
        else system.ref(recoveryProtocol, recoveryAddress).tell.broken({ gen: error.gen, what: error.message });
      },
      noResponders: () => undefined,
      closed: (error) => scope.fail(error ?? new RunFailed(`${server.url}: the connection was closed`)),
    },
  });
  const system = new ActorSystem({
    name: scope.name,
    transport,
    supervision: roleSupervision,
    onFailure: (cause) => scope.fail(new RunFailed(cause)),
  });
  transport.enter(gen);
  system.enter(gen);
  spawnAgent(system, [], { onEnter: (entered) => transport.enter(entered) });
  if (scope.name === leader) {
    const decisions = new KvDecisionStore(store, runId, () => system.gen);
    const register = new GenRegister(store, runId);
    const recovery = {
      systems: assignment.systems,
      raise: async (from: number) => (await register.raise(from)).gen,
      enter: (to: number) => system.enter(to),
      decisions,
    };
    system.spawn(recoveryProtocol, recoveryAddress, (recoveryScope) => new Recovery(recovery, recoveryScope));
    spawnTrainer(system, { runSpec, evaluations }, decisions, { systems: assignment.systems, placement });
  }
  await host.ready();
  return async () => {
    await system.stop();
    await host.stop();
    await transport.close();
  };
}
