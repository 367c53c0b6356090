/**
 * A cluster is where the roles of a run live, seen from whoever started them: in this thread, on worker threads, or on
 * node processes; the numbers are the same. Each has a trainer, which does nothing until it is asked to train.
 */
import type { Executable } from '../kernels/device.ts';
import { numericsClass } from '../kernels/numerics.ts';
import {
  createLocalSystem,
  supervisor,
  type ActorSystem,
  type ChildSpec,
  type LocalSystemOptions,
} from '../runtime/index.ts';
import { trainerAddress, agentAddress } from '../actors/placement/addresses.ts';
import type { BatchPort } from '../actors/stage/batch_port.ts';
import type { RunSpec } from '../actors/placement/run_spec.ts';
import { castOf } from '../actors/placement/cast.ts';
import type { CastEntry } from '../actors/placement/cast_entry.ts';
import { deviceOf } from '../topology/index.ts';
import { chosenDevice, type WorkerDevice } from './chosen_device.ts';
import type { DecisionStore } from '../actors/training/decision_store.ts';
import { freshOf, openRoles } from './open_roles.ts';
import { routingOf, type RoutingSource } from './open_routing.ts';
import { trainerProtocol } from '../actors/protocol/trainer.ts';
import { agentProtocol } from '../actors/protocol/agent.ts';
import type { Evaluation } from '../actors/training/evaluation.ts';
import { Trainer } from '../actors/training/trainer.ts';
import type { Layout } from '../actors/placement/layout.ts';
import { holdersBySystem, type SystemHolders } from '../actors/placement/system_holders.ts';
import { SystemAgent, type AgentParts } from '../actors/placement/agent.ts';

export interface Cluster {
  /** The system of whoever started the cluster: checkpointer and event log are spawned here. */
  readonly system: ActorSystem;
  /** What must be equal for another cluster to give the same bits. */
  readonly numericsClass: string;
  /** What each worker computes on. */
  readonly devices: readonly WorkerDevice[];
  /** All that hold parameters, by system. */
  readonly holders: readonly SystemHolders[];
  /** The programs that were compiled in this thread, with their times. */
  executables(): Promise<readonly Executable[]>;
  /** Resolves once all systems are in one gen: for whoever lost an ask to a change of gen. */
  settled(): Promise<void>;
  /** Resolves with the death of a node, whose roles are lost with it. Another one after `reform`; never, in one process. */
  readonly lost: Promise<Error>;
  /** Resolves, with why in words, when roles are to be placed otherwise though nothing is lost. Another one after `reform`. */
  readonly wanted: Promise<string>;
  /**
   * Places the roles anew, on the nodes that are there by then, in a gen of its own. Resolves once all have entered it, with
   * those systems whose roles were made anew: these have no state. `holders` and `devices` are those of the new places then.
   */
  reform(): Promise<readonly string[]>;
  /** Stops all actors, then the devices. */
  stop(): Promise<void>;
}

/** For a cluster in one process: it lives and ends as a whole. */
export const unchanging: Pick<Cluster, 'lost' | 'wanted' | 'reform'> = {
  lost: new Promise(() => undefined),
  wanted: new Promise(() => undefined),
  reform: () => Promise.reject(new RangeError('the roles of one process cannot be placed anew')),
};

export interface ClusterOptions {
  readonly runSpec: RunSpec;
  /** The least gen to begin in. */
  readonly gen: number;
  readonly evaluations: readonly Evaluation[];
  /** Where choices of tokens are kept, and come from; null: neither. */
  readonly routing: RoutingSource | null;
  /** Names of the parameters that begin with initial values, where others are handed out then; null: all. */
  readonly fresh: readonly string[] | null;
  readonly onFailure: (failure: Error) => void;
}

/** A role failed; what it said is in the message. */
export class RunFailed extends Error {
  readonly tag = 'RunFailed';
  readonly exitCode = 1;
  constructor(cause: string) {
    super(`${cause}; what was checkpointed is safe, continue with --resume`);
    this.name = 'RunFailed';
  }
}

/** The roles of one worker as one unit: none is restarted alone, and what escalates ends the run. */
export const roleSupervision = { intensity: 0 };

export function rolesSpec(worker: string, specs: readonly ChildSpec[]): ChildSpec {
  return supervisor(`run/roles-${worker}`, { strategy: 'one_for_all', ...roleSupervision }, specs);
}

/** Starts the agent of a system that hosts the actors of `cast`, and no others unless `place` is given. */
export function spawnAgent(
  system: ActorSystem,
  cast: readonly CastEntry[],
  given: Partial<Pick<AgentParts, 'device' | 'onEnter' | 'place'>> = {},
): void {
  const { device = () => null, onEnter = () => undefined, place = () => Promise.resolve(cast) } = given;
  const parts = { system, device, onEnter, cast, place };
  system.spawn(agentProtocol, agentAddress(system.name), (scope) => new SystemAgent(parts, scope));
}

/** Starts the trainer of a run, which is in all of `systems`. */
export function spawnTrainer(
  system: ActorSystem,
  { runSpec, evaluations }: Pick<ClusterOptions, 'runSpec' | 'evaluations'>,
  decisions: DecisionStore,
  { systems, placement }: Pick<Layout, 'systems' | 'placement'>,
): void {
  const { topology, mesh } = runSpec;
  const holders = holdersBySystem(castOf(runSpec), placement);
  const parts = { topology, mesh, holders, decisions, evaluations, systems };
  system.spawn(trainerProtocol, trainerAddress, (scope) => new Trainer(parts, scope));
}

/** Starts a cluster with all roles in this thread. Throws `OutOfSliceMemory`, `NoAdapter`. */
export async function startLocalCluster(
  options: ClusterOptions,
  batches: BatchPort,
  decisions: DecisionStore,
  settings: LocalSystemOptions = {},
): Promise<Cluster> {
  const { runSpec, gen, onFailure, routing, fresh } = options;
  const { choice, numerics, facts } = await chosenDevice(deviceOf(runSpec.topology.cluster, 0, 0));
  const onLost = ({ message }: Error): void => onFailure(new RunFailed(message));
  const { device, specs } = await openRoles({
    choice,
    runSpec,
    batches,
    ...routingOf(routing),
    fresh: freshOf(fresh),
    hosts: () => true,
    onLost,
  });
  const system = createLocalSystem({
    name: 'node-0',
    supervision: roleSupervision,
    onFailure: (cause) => onFailure(new RunFailed(cause)),
    ...settings,
  });
  system.enter(gen);
  system.start(rolesSpec('w0', specs));
  spawnAgent(system, castOf(runSpec), { device: () => device });
  const placement = new Map(castOf(runSpec).map(({ role }) => [role, system.name]));
  spawnTrainer(system, options, decisions, { systems: [system.name], placement });
  return {
    system,
    numericsClass: numericsClass(numerics),
    devices: [{ node: system.name, worker: system.name, ...facts }],
    holders: holdersBySystem(castOf(runSpec), placement),
    executables: () => device.executables(),
    settled: () => Promise.resolve(),
    ...unchanging,
    stop: async () => {
      await system.stop();
      await device.close();
    },
  };
}
