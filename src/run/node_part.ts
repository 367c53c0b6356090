/**
 * A node's part in a run begins in the same way wherever its process came from: it registers, waits until an assignment
 * means it, starts its workers with the roles placed on it, and says that it is ready.
 */
import type { NodeScope } from '../runtime/cluster/index.ts';
import { Registration, type NatsConnection } from '../runtime/cluster/nats.ts';
import type { Clock } from '../runtime/index.ts';
import { runSpecOf } from '../actors/placement/run_spec.ts';
import { awaitAssignment, reportReady } from './assignment.ts';
import type { ChosenDevice } from './chosen_device.ts';
import { NodeRoles, type NodeRolesOptions } from './node_roles.ts';
import type { PatientKvStore } from './patient_kv_store.ts';
import type { RunFacts } from './run_facts.ts';

export interface NodePartOptions extends Pick<NodeRolesOptions, 'server' | 'cluster' | 'onDismissed'> {
  readonly scope: Pick<NodeScope, 'name' | 'fail'>;
  readonly facts: RunFacts;
  /** Which life of the node it is. */
  readonly incarnation: number;
  readonly control: NatsConnection;
  readonly store: PatientKvStore;
  readonly chosen: readonly ChosenDevice[];
  readonly clock: Clock;
  /** Whether an earlier life of the name is known to have ended. */
  readonly takeOver: boolean;
}

/** Takes part until what it returns is called. Throws `NodeNameTaken`, and what `NodeRoles.start` throws. */
export async function takePart(options: NodePartOptions): Promise<() => Promise<void>> {
  const { scope, facts, incarnation, store, chosen, clock, takeOver } = options;
  const { topology, runId } = facts;
  const member = { node: scope.name, runId, incarnation, workers: chosen.map(({ numerics }) => numerics) };
  const beatMs = topology.recovery.lease_ms / 4;
  const registration = await Registration.join({ store, clock, member, beatMs, takeOver, onReplaced: scope.fail });
  let roles: NodeRoles | null = null;
  const assignment = await awaitAssignment(store, runId, { node: scope.name, incarnation });
  if (assignment !== null) {
    const runSpec = await runSpecOf(facts);
    const devices = chosen.map(({ choice }) => choice);
    // It waits for the server as long as the launcher waits for it.
    const patienceMs = topology.cluster.wait * 1000;
    roles = await NodeRoles.start({ ...facts, ...options, runSpec, devices, patienceMs }, assignment);
    const ready = { node: scope.name, devices: chosen.map((device) => device.facts) };
    await reportReady(store, { runId, gen: assignment.gen }, ready);
  }
  return async () => {
    // The launcher removes what those that it has started have left.
    if (takeOver) registration.stop();
    else await registration.leave();
    await roles?.stop();
  };
}
