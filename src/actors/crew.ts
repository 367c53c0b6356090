/**
 * Where the roles of a run live, seen from whoever started them. A crew is in this thread, spread over worker threads, or
 * over nodes; the numbers are the same. Each has a trainer, which does nothing until it is asked to train.
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
import { trainerAddress, usherAddress } from './addresses.ts';
import type { BatchPort } from './batch_port.ts';
import type { Blueprint } from './blueprint.ts';
import { castOf, type Member } from './cast.ts';
import { deviceOf } from '../topology/index.ts';
import { chosenDevice, type WorkerDevice } from './chosen_device.ts';
import type { DecisionStore } from './decision_store.ts';
import { openCompany } from './open_company.ts';
import { trainerProtocol } from './protocol/trainer.ts';
import { usherProtocol } from './protocol/usher.ts';
import { Trainer } from './trainer.ts';
import { Usher, type UsherParts } from './usher.ts';

export interface Crew {
  /** The own one of whoever started the crew: checkpointer and chronicle are spawned here. */
  readonly system: ActorSystem;
  /** What must be equal for another crew to give the same bits. */
  readonly numericsClass: string;
  /** What each worker computes on. */
  readonly devices: readonly WorkerDevice[];
  /** What was compiled in this thread, with its times. */
  executables(): Promise<readonly Executable[]>;
  /** Resolves once all are in one gen: for whoever lost an ask to a change of gen. */
  settled(): Promise<void>;
  /** Stops all actors, then the devices. */
  stop(): Promise<void>;
}

export interface CrewOptions {
  readonly blueprint: Blueprint;
  /** The least gen to begin in. */
  readonly gen: number;
  readonly evaluationMicrobatches: number;
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

/** Starts the usher of a system that hosts the actors of `cast`. */
export function spawnUsher(
  system: ActorSystem,
  cast: readonly Member[],
  { device = null, onEnter = () => undefined }: Partial<Pick<UsherParts, 'device' | 'onEnter'>> = {},
): void {
  const ushered = {
    groups: cast.filter(({ isGroup }) => isGroup).map(({ address }) => address),
    holders: cast.filter(({ isGroup }) => !isGroup).map(({ address }) => address),
  };
  system.spawn(
    usherProtocol,
    usherAddress(system.name),
    (scope) => new Usher({ system, device, onEnter, ...ushered }, scope),
  );
}

/** Starts the trainer of a run that is in the systems named. */
export function spawnTrainer(
  system: ActorSystem,
  { blueprint, evaluationMicrobatches }: Pick<CrewOptions, 'blueprint' | 'evaluationMicrobatches'>,
  decisions: DecisionStore,
  systems: readonly string[],
): void {
  const { topology, mesh } = blueprint;
  const parts = { topology, mesh, decisions, evaluationMicrobatches, systems };
  system.spawn(trainerProtocol, trainerAddress, (scope) => new Trainer(parts, scope));
}

/** All roles in this thread. Throws `OutOfSliceMemory`, `NoAdapter`. */
export async function startLocalCrew(
  options: CrewOptions,
  batches: BatchPort,
  decisions: DecisionStore,
  settings: LocalSystemOptions = {},
): Promise<Crew> {
  const { blueprint, gen, onFailure } = options;
  const { choice, numerics, facts } = await chosenDevice(deviceOf(blueprint.topology.cluster, 0, 0));
  const onLost = ({ message }: Error): void => onFailure(new RunFailed(message));
  const { device, specs } = await openCompany({ choice, blueprint, batches, hosts: () => true, onLost });
  const system = createLocalSystem({
    name: 'node-0',
    supervision: roleSupervision,
    onFailure: (cause) => onFailure(new RunFailed(cause)),
    ...settings,
  });
  system.enter(gen);
  system.start(rolesSpec('w0', specs));
  spawnUsher(system, castOf(blueprint), { device });
  spawnTrainer(system, options, decisions, [system.name]);
  return {
    system,
    numericsClass: numericsClass(numerics),
    devices: [{ node: system.name, worker: system.name, ...facts }],
    executables: () => device.executables(),
    settled: () => Promise.resolve(),
    stop: async () => {
      await system.stop();
      await device.close();
    },
  };
}
