/**
 * What runs in a node's process: it registers, waits for the muster, starts its workers with the roles placed on it, and
 * joins them to the other nodes. The main thread does no arithmetic; on the first node it hosts trainer and rally.
 */
import { z } from 'zod';
import { enterNode, type NodeScope } from '../runtime/cluster/index.ts';
import { GenRegister, NatsConnection, NatsKvStore, NatsTransport, Registration } from '../runtime/cluster/nats.ts';
import { ActorSystem, SystemClock } from '../runtime/index.ts';
import { devicesOf, topologySchema } from '../topology/index.ts';
import { rallyAddress } from './addresses.ts';
import { batchSourceSchema } from './batch_source.ts';
import { blueprintOf } from './blueprint.ts';
import { castOf } from './cast.ts';
import { chosenDevice, type ChosenDevice } from './chosen_device.ts';
import { roleSupervision, RunFailed, spawnTrainer, spawnUsher } from './crew.ts';
import { KvDecisionStore } from './kv_decision_store.ts';
import { largestMessageBytes, linkLimitsFor } from './message_sizes.ts';
import { awaitMuster, reportReady, type Muster } from './muster.ts';
import { PatientKvStore } from './patient_kv_store.ts';
import { rallyProtocol } from './protocol/rally.ts';
import { Rally } from './rally.ts';
import { startRoleWorkers } from './role_workers.ts';
import { nodeOfSystem, whereaboutsOf } from './whereabouts.ts';

const birthSchema = z.object({
  /** Which of the topology's nodes it is. */
  index: z.int(),
  topology: topologySchema,
  baseDir: z.string(),
  sublayersDigest: z.string().nullable(),
  vocabulary: z.int(),
  source: batchSourceSchema,
  server: z.object({ url: z.string(), token: z.string().exactOptional(), log: z.string().exactOptional() }),
  cluster: z.string(),
  runId: z.string(),
  gen: z.int(),
  evaluationMicrobatches: z.int(),
});
export type NodeBirth = z.input<typeof birthSchema>;
type Birth = z.output<typeof birthSchema>;

const clock = new SystemClock();

await enterNode(async (scope) => {
  const birth = birthSchema.parse(scope.data);
  const { server, cluster, runId, gen, topology } = birth;
  const { lease_ms: leaseMs } = topology.recovery;
  const stopping = new AbortController();
  void scope.stopping.then(() => stopping.abort());
  const patience = { clock, patienceMs: patienceOf(birth), signal: stopping.signal };
  const control = await NatsConnection.openPatiently(server, `${cluster}/${scope.name} control`, patience);
  const incarnation = clock.wallMs();
  const store = new PatientKvStore(await NatsKvStore.open(control, cluster), clock, stopping.signal);
  const chosen = await Promise.all(devicesOf(topology.cluster, birth.index).map(chosenDevice));
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
  const muster = await awaitMuster(store, { runId, gen });
  const stopCompany =
    muster === null ? null : await startCompany(scope, birth, { control, incarnation, store, muster, chosen });
  if (stopCompany !== null) {
    const devices = chosen.map(({ facts }) => facts);
    await reportReady(store, { runId, gen }, { node: scope.name, devices });
  }
  return async () => {
    registration.stop();
    await stopCompany?.();
    await control.close();
  };
});

/** As long as the launcher waits for the node. */
function patienceOf({ topology }: Birth): number {
  return topology.cluster.wait * 1000;
}

interface Joined {
  readonly control: NatsConnection;
  /** Which life of the node this is. */
  readonly incarnation: number;
  readonly store: PatientKvStore;
  readonly muster: Muster;
  /** Of its workers, in order. */
  readonly chosen: readonly ChosenDevice[];
}

/** Starts workers, transport and control actors; returns what stops them. */
async function startCompany(
  scope: NodeScope,
  birth: Birth,
  { control, incarnation, store, muster, chosen }: Joined,
): Promise<() => Promise<void>> {
  const { cluster, runId, gen, server, evaluationMicrobatches, source } = birth;
  const blueprint = await blueprintOf(birth);
  const cast = castOf(blueprint);
  const largestBytes = largestMessageBytes(blueprint, cast);
  const [leader] = muster.nodes;
  const placement = new Map(Object.entries(muster.placement));
  const places = whereaboutsOf({ cast, placement, leader, scribe: muster.scribe, systems: muster.systems });
  const host = startRoleWorkers({
    node: scope.name,
    devices: chosen.map(({ choice }) => choice),
    placement,
    places,
    largestBytes,
    run: { blueprint, gen, source },
    onFailure: scope.fail,
  });
  const transport = await NatsTransport.open({
    server,
    control,
    cluster,
    runId,
    node: scope.name,
    incarnation,
    incarnations: new Map(Object.entries(muster.incarnations)),
    patienceMs: patienceOf(birth),
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
        else system.ref(rallyProtocol, rallyAddress).tell.broken({ gen: error.gen, what: error.message });
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
  spawnUsher(system, [], { onEnter: (entered) => transport.enter(entered) });
  if (scope.name === leader) {
    const decisions = new KvDecisionStore(store, runId, () => system.gen);
    const register = new GenRegister(store, runId);
    const rally = {
      systems: muster.systems,
      raise: async (from: number) => (await register.raise(from)).gen,
      enter: (to: number) => system.enter(to),
      decisions,
    };
    system.spawn(rallyProtocol, rallyAddress, (rallyScope) => new Rally(rally, rallyScope));
    spawnTrainer(system, { blueprint, evaluationMicrobatches }, decisions, muster.systems);
  }
  await host.ready();
  return async () => {
    await system.stop();
    await host.stop();
    await transport.close();
  };
}
