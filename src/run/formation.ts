/**
 * The formation of a node cluster goes from one assignment to the next: it raises the gen, writes the assignment, has the
 * launcher and all nodes enter it, and waits until every role is where it belongs. Kill, join, drain and a node's return
 * differ in nothing but the nodes that are there by then.
 */
import { GenRegister, type Member as NodeMember } from '../runtime/cluster/nats.ts';
import type { ActorSystem, Clock } from '../runtime/index.ts';
import { agentAddress, recoveryAddress } from '../actors/placement/addresses.ts';
import { castOf } from '../actors/placement/cast.ts';
import { launcherName, nodeOfSystem, placesOf, workerName } from '../actors/placement/directory.ts';
import { largestMessageBytes, linkLimitsFor } from '../actors/placement/message_sizes.ts';
import { goneSince, nextAssignment, rolesOf } from '../actors/placement/next_assignment.ts';
import { Recovery } from '../actors/placement/recovery.ts';
import type { RunSpec } from '../actors/placement/run_spec.ts';
import { holdersBySystem, type SystemHolders } from '../actors/placement/system_holders.ts';
import { agentProtocol } from '../actors/protocol/agent.ts';
import type { Assignment } from '../actors/protocol/assignment.ts';
import { recoveryProtocol } from '../actors/protocol/recovery.ts';
import { KvDecisionStore } from '../actors/training/kv_decision_store.ts';
import { awaitReady, writeAssignment, type ReadyNode } from './assignment.ts';
import type { DeviceFacts, WorkerDevice } from './chosen_device.ts';
import type { Founding } from './founding.ts';
import { openLauncherSystem, type LauncherSystem } from './launcher_system.ts';
import type { NodeClusterOptions } from './node_processes.ts';
import type { PatientKvStore } from './patient_kv_store.ts';

export interface FormationOptions {
  readonly runSpec: RunSpec;
  readonly meeting: NodeClusterOptions;
  readonly founding: Founding;
  readonly store: PatientKvStore;
  readonly clock: Clock;
  readonly isAbandoned: () => boolean;
  readonly onFailure: (error: Error) => void;
}

/** A cluster in which every role is where its assignment says. */
export interface Formed {
  readonly system: ActorSystem;
  readonly assignment: Assignment;
  readonly holders: readonly SystemHolders[];
  readonly devices: readonly WorkerDevice[];
  /** Systems whose roles were made anew since the formation before: they have no state. */
  readonly renewed: readonly string[];
}

/** A role answers when its message in hand is done, and others are made; a node that never does is declared dead. */
const patienceMs = 10 * 60_000;

export class Formation {
  private readonly options: FormationOptions;
  private readonly register: GenRegister;
  private readonly incarnation: number;
  private readonly incarnations = new Map<string, number>();
  private launcher: LauncherSystem | null = null;
  private newest: Assignment | null = null;
  /** System by address. */
  private places: ReadonlyMap<string, string> = new Map();
  /** Nodes that have taken their part in some assignment, by life. */
  private readonly ready = new Map<string, ReadyNode>();
  /** Those that were told to and have not yet, by life; with the gen of what they were told. */
  private readonly starting = new Map<string, number>();
  /** The roles that each system was given last. */
  private readonly hosted = new Map<string, string>();
  private readonly renewed = new Set<string>();
  /** The assignment that all have entered; null while they are about to. */
  private settled: Assignment | null = null;

  constructor(options: FormationOptions) {
    this.options = options;
    this.register = new GenRegister(options.store, options.meeting.runId);
    this.incarnation = options.clock.wallMs();
  }

  /** The launcher's own system; null before the first assignment. */
  get system(): ActorSystem | null {
    return this.launcher?.system ?? null;
  }

  /** Places the roles on `members`. Superseded by a later call, it has no say any more. Throws `OutOfSliceMemory` ... */
  async form(members: readonly NodeMember[]): Promise<Formed> {
    this.settled = null;
    // Who is still about to begin hears of nothing else before it has.
    await this.begun(members);
    const gen = await this.nextGen();
    const { runSpec, meeting, store } = this.options;
    const nodes = members.map(({ workers, ...life }) => ({ ...life, workers: workers.length }));
    const assignment = nextAssignment(runSpec, gen, nodes, { node: launcherName, incarnation: this.incarnation });
    await writeAssignment(store, meeting.runId, assignment);
    const system = await this.enter(assignment);
    const isKnown = ({ node, incarnation }: NodeMember): boolean => this.ready.has(lifeName(node, incarnation));
    const begins = members.filter((member) => !isKnown(member));
    for (const { node, incarnation } of begins) this.starting.set(lifeName(node, incarnation), gen);
    for (const each of assignment.systems) this.book(each, rolesOf(assignment, each), begins);
    await Promise.all([this.begun(members), this.told(system, assignment, members.filter(isKnown))]);
    const all = this.agents(system, assignment.systems);
    await Promise.all(all.map((agent) => agent.ask.settle({ gen, decision: null }, { timeoutMs: patienceMs })));
    this.settled = assignment;
    const renewed = [...this.renewed];
    this.renewed.clear();
    return { system, assignment, renewed, holders: this.holdersOf(assignment), devices: this.devicesOf(members) };
  }

  /** A node is gone: asks to its actors fail. */
  lose(node: string): void {
    this.settled = null;
    this.launcher?.transport.lose(node);
  }

  close(): Promise<void> {
    return this.launcher?.close() ?? Promise.resolve();
  }

  /** The first assignment is of the gen that the launch was founded in. */
  private async nextGen(): Promise<number> {
    if (this.launcher === null) return this.options.founding.gen;
    return (await this.register.raiseTo((await this.register.current()) + 1)).gen;
  }

  /** Notes what a system hosts from now on; one whose roles are made anew has no state. */
  private book(system: string, roles: readonly string[], begins: readonly NodeMember[]): void {
    const key = roles.join();
    const isNew = begins.some(({ node }) => node === nodeOfSystem(system));
    if (isNew || this.hosted.get(system) !== key) this.renewed.add(system);
    this.hosted.set(system, key);
  }

  /** Waits until those of `members` that were told to begin have. */
  private async begun(members: readonly NodeMember[]): Promise<void> {
    const { store, meeting } = this.options;
    await Promise.all(
      members.map(async ({ node, incarnation }) => {
        const life = lifeName(node, incarnation);
        const gen = this.starting.get(life);
        if (gen === undefined) return;
        const [report] = await awaitReady(store, { runId: meeting.runId, gen }, [node]);
        if (report === undefined) return;
        this.starting.delete(life);
        this.ready.set(life, report);
      }),
    );
  }

  /** Has the launcher's own system enter an assignment; opens it the first time. */
  private async enter(assignment: Assignment): Promise<ActorSystem> {
    const { newest, launcher } = this;
    const { gen } = assignment;
    if (newest !== null) for (const node of goneSince(newest, assignment)) launcher?.transport.lose(node);
    this.newest = assignment;
    this.places = placesOf(castOf(this.options.runSpec), assignment);
    this.incarnations.clear();
    for (const [node, life] of Object.entries(assignment.incarnations)) this.incarnations.set(node, life);
    if (launcher === null) return (this.launcher = await this.open(gen)).system;
    launcher.transport.enter(gen);
    launcher.system.enter(gen);
    return launcher.system;
  }

  /** Has the systems of nodes that take part already take their part in another assignment. */
  private async told(system: ActorSystem, assignment: Assignment, nodes: readonly NodeMember[]): Promise<void> {
    const { gen } = assignment;
    const names = nodes.flatMap(({ node, workers }) => [node, ...workers.map((_, i) => workerName(node, i))]);
    const agents = this.agents(system, names);
    await Promise.all(agents.map((agent) => agent.ask.enter({ gen, assignment }, { timeoutMs: patienceMs })));
  }

  private agents(system: ActorSystem, names: readonly string[]) {
    return names.map((name) => system.ref(agentProtocol, agentAddress(name)));
  }

  private holdersOf({ placement }: Assignment): readonly SystemHolders[] {
    return holdersBySystem(castOf(this.options.runSpec), new Map(Object.entries(placement)));
  }

  private devicesOf(members: readonly NodeMember[]): WorkerDevice[] {
    return members.flatMap(({ node, incarnation }) => {
      const facts: readonly DeviceFacts[] = this.ready.get(lifeName(node, incarnation))?.devices ?? [];
      return facts.map((fact, worker) => ({ node, worker: workerName(node, worker), ...fact }));
    });
  }

  private async open(gen: number): Promise<LauncherSystem> {
    const { runSpec, meeting, founding, store, clock, isAbandoned, onFailure } = this.options;
    const { server, name, runId, notice } = meeting;
    const launcher = await openLauncherSystem({
      server: server.address,
      control: founding.control,
      cluster: name,
      runId,
      incarnation: this.incarnation,
      incarnations: this.incarnations,
      patienceMs: runSpec.topology.cluster.wait * 1000,
      limits: linkLimitsFor(largestMessageBytes(castOf(runSpec))),
      clock,
      directory: (address) => {
        const at = isAbandoned() ? undefined : this.places.get(address);
        return at === undefined ? null : nodeOfSystem(at);
      },
      gen,
      notice,
      onFailure,
      isAbandoned,
    });
    const { system, transport } = launcher;
    const parts = {
      systems: () => this.settled?.systems ?? null,
      raise: async (from: number) => (await this.register.raise(from)).gen,
      enter: (to: number): void => {
        transport.enter(to);
        system.enter(to);
      },
      decisions: new KvDecisionStore(store, runId, () => system.gen),
    };
    system.spawn(recoveryProtocol, recoveryAddress, (scope) => new Recovery(parts, scope));
    return launcher;
  }
}

const lifeName = (node: string, incarnation: number): string => `${node} ${incarnation}`;
