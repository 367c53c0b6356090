/**
 * The roles of a node are on its worker threads; its main thread joins them to the other nodes, and hosts the trainer
 * where the assignment of the gen makes this node the leader. With each assignment the directory changes, those that are
 * gone are forgotten, and the trainer comes or goes; the agents of the workers see to their roles themselves.
 */
import type { NodeScope, WorkerHost } from '../runtime/cluster/index.ts';
import { NatsTransport, type NatsConnection } from '../runtime/cluster/nats.ts';
import { ActorSystem, type Clock } from '../runtime/index.ts';
import { recoveryAddress, trainerAddress } from '../actors/placement/addresses.ts';
import { castOf } from '../actors/placement/cast.ts';
import type { CastEntry } from '../actors/placement/cast_entry.ts';
import { nodeOfSystem, placesOf, threadsOf } from '../actors/placement/directory.ts';
import { largestMessageBytes, linkLimitsFor } from '../actors/placement/message_sizes.ts';
import { goneSince } from '../actors/placement/next_assignment.ts';
import type { RunSpec } from '../actors/placement/run_spec.ts';
import type { Assignment } from '../actors/protocol/assignment.ts';
import { recoveryProtocol } from '../actors/protocol/recovery.ts';
import type { Evaluation } from '../actors/training/evaluation.ts';
import { KvDecisionStore } from '../actors/training/kv_decision_store.ts';
import type { BatchSource } from './batch_source.ts';
import { roleSupervision, RunFailed, spawnAgent, spawnTrainer } from './cluster.ts';
import type { RoutingSource } from './open_routing.ts';
import type { PatientKvStore } from './patient_kv_store.ts';
import { startRoleWorkers } from './role_workers.ts';

export interface NodeRolesOptions {
  readonly scope: Pick<NodeScope, 'name' | 'fail'>;
  readonly runSpec: RunSpec;
  readonly source: BatchSource;
  readonly routing: RoutingSource | null;
  /** Parameters that get initial values; null: all. */
  readonly fresh: readonly string[] | null;
  readonly evaluations: readonly Evaluation[];
  readonly server: { readonly url: string; readonly token?: string; readonly log?: string };
  readonly cluster: string;
  readonly runId: string;
  /** Which life of the node this is. */
  readonly incarnation: number;
  readonly control: NatsConnection;
  readonly store: PatientKvStore;
  /** What opens the device of each worker; not `auto`. */
  readonly devices: readonly string[];
  /** How long the server is waited for, in ms. */
  readonly patienceMs: number;
  readonly clock: Clock;
  /** An assignment is without this node. */
  readonly onDismissed: () => void;
}

export class NodeRoles {
  private readonly options: NodeRolesOptions;
  private readonly cast: readonly CastEntry[];
  private readonly host: WorkerHost;
  private readonly incarnations: Map<string, number>;
  private assignment: Assignment;
  /** System by address. */
  private places: ReadonlyMap<string, string>;
  private joined: { readonly system: ActorSystem; readonly transport: NatsTransport } | null = null;

  private constructor(options: NodeRolesOptions, assignment: Assignment) {
    const { scope, runSpec, source, routing, fresh, devices } = options;
    this.options = options;
    this.assignment = assignment;
    this.cast = castOf(runSpec);
    this.places = placesOf(this.cast, assignment);
    this.incarnations = new Map(Object.entries(assignment.incarnations));
    this.host = startRoleWorkers({
      node: scope.name,
      devices,
      placement: new Map(Object.entries(assignment.placement)),
      places: this.places,
      largestBytes: largestMessageBytes(this.cast),
      run: { runSpec, gen: assignment.gen, source, routing, fresh },
      onFailure: scope.fail,
    });
  }

  /** Starts workers, transport and control actors; resolves when all programs are compiled. Throws what those throw. */
  static async start(options: NodeRolesOptions, assignment: Assignment): Promise<NodeRoles> {
    const roles = new NodeRoles(options, assignment);
    await roles.join();
    await roles.host.ready();
    return roles;
  }

  async stop(): Promise<void> {
    await this.joined?.system.stop();
    await this.host.stop();
    await this.joined?.transport.close();
  }

  private async join(): Promise<void> {
    const { scope, server, control, cluster, runId, incarnation, patienceMs, clock } = this.options;
    const { gen } = this.assignment;
    const transport = await NatsTransport.open({
      server,
      control,
      cluster,
      runId,
      node: scope.name,
      incarnation,
      incarnations: this.incarnations,
      patienceMs,
      limits: linkLimitsFor(largestMessageBytes(this.cast)),
      clock,
      near: this.host.transport,
      directory: (address) => {
        const system = this.places.get(address);
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
    this.joined = { system, transport };
    transport.enter(gen);
    system.enter(gen);
    spawnAgent(system, [], { onEnter: (entered) => transport.enter(entered), place: (next) => this.place(next) });
    this.lead(system);
  }

  /** Takes this node's part in another assignment. It hosts no roles itself. */
  private place(next: Assignment): Promise<readonly CastEntry[]> {
    if (this.joined === null) throw new RangeError(`${this.options.scope.name}: placed before it has joined`);
    const { system, transport } = this.joined;
    // What it still waits for is of a gen that is over.
    system.dismiss(trainerAddress);
    for (const node of goneSince(this.assignment, next)) transport.lose(node);
    this.assignment = next;
    this.places = placesOf(this.cast, next);
    this.incarnations.clear();
    for (const [node, incarnation] of Object.entries(next.incarnations)) this.incarnations.set(node, incarnation);
    if (!next.nodes.includes(this.options.scope.name)) this.options.onDismissed();
    else this.host.transport.place(threadsOf(this.places, this.options.scope.name));
    this.lead(system);
    return Promise.resolve([]);
  }

  /** Starts the trainer where this node leads. */
  private lead(system: ActorSystem): void {
    const { scope, runSpec, evaluations, store, runId } = this.options;
    const { leader, systems, placement } = this.assignment;
    if (scope.name !== leader) return;
    const decisions = new KvDecisionStore(store, runId, () => system.gen);
    const places = { systems, placement: new Map(Object.entries(placement)) };
    spawnTrainer(system, { runSpec, evaluations }, decisions, places);
  }
}
