/**
 * The directory tells where every actor of a run lives: the system (a thread of a node, or the launcher) by address. Pure, from the placement
 * of roles, so that every process knows the same. A system's name is its node's, for workers followed by `.worker-N`.
 */
import type { Assignment } from '../protocol/assignment.ts';
import type { CastEntry } from './cast_entry.ts';
import { checkpointerAddress, eventLogAddress, recoveryAddress, trainerAddress, agentAddress } from './addresses.ts';

/** The name of the launcher among the systems; no node has it. */
export const launcherName = 'launcher';
export const nodeName = (node: number | '*'): string => `node-${node}`;
export const workerName = (node: string, worker: number): string => `${node}.worker-${worker}`;
export const nodeOfSystem = (system: string): string => system.split('.', 1)[0];

/** The callers of a system that are no actors. */
export const outsideOf = (system: string): string => `@${system}`;

export interface DirectoryOptions {
  readonly cast: readonly CastEntry[];
  /** System by role. */
  readonly placement: ReadonlyMap<string, string>;
  /** Where the trainer is. */
  readonly leader: string;
  /** Where the run directory is written, and where recovery is. */
  readonly writer: string;
  /** All systems of the run. */
  readonly systems: readonly string[];
}

/** System by address, for every actor of a run and for the outside of every system. Throws `RangeError` for a role without a place. */
export function directoryOf({ cast, placement, leader, writer, systems }: DirectoryOptions): Map<string, string> {
  const places = new Map<string, string>();
  places.set(trainerAddress, leader);
  for (const address of [checkpointerAddress, eventLogAddress, recoveryAddress]) places.set(address, writer);
  for (const system of systems) {
    places.set(agentAddress(system), system);
    places.set(outsideOf(system), system);
  }
  for (const { address, role } of cast) {
    const system = placement.get(role);
    if (system === undefined) throw new RangeError(`${role} has no place`);
    places.set(address, system);
  }
  return places;
}

/** The same for an assignment. */
export function placesOf(
  cast: readonly CastEntry[],
  { leader, writer, systems, placement }: Pick<Assignment, 'leader' | 'writer' | 'systems' | 'placement'>,
): Map<string, string> {
  return directoryOf({ cast, placement: new Map(Object.entries(placement)), leader, writer, systems });
}

/** The same, as the threads of one node see it: who is elsewhere is reached through the node's main thread. */
export function threadsOf(places: ReadonlyMap<string, string>, node: string): Map<string, string> {
  return new Map([...places].map(([address, system]) => [address, nodeOfSystem(system) === node ? system : node]));
}
