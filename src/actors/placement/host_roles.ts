/**
 * A worker hosts the actors placed on it: they are made here, as specs that a supervisor starts. All memory is taken and all programs are
 * compiled here, before the first actor starts; a budget that is too small is found now.
 */
import type { Device } from '../../kernels/device.ts';
import type { ChildSpec } from '../../runtime/index.ts';
import { noRouting, type RoutingPort } from '../mixture/choice_log.ts';
import type { Fresh } from '../parameters/fresh.ts';
import type { BatchPort } from '../stage/batch_port.ts';
import { RowsPort } from '../stage/rows_port.ts';
import { castOf, rolesByAddress } from './cast.ts';
import type { RunSpec } from './run_spec.ts';

export interface HostOptions {
  readonly runSpec: RunSpec;
  readonly batches: BatchPort;
  /** Where choices are kept, and come from; default: neither. */
  readonly routing?: RoutingPort;
  /** Which parameters begin with initial values, where others are restored then; default: all. */
  readonly fresh?: Fresh;
  /** The device of this worker. */
  readonly device: Device;
  /** Whether this worker hosts a role. */
  readonly hosts: (role: string) => boolean;
  /** Whether a role that it hosts is made now; left out: all are. A rehearsal makes one at a time. */
  readonly makes?: (role: string) => boolean;
}

/** Makes everything that the actors of this worker need. Throws `OutOfSliceMemory`. */
export async function hostRoles(options: HostOptions): Promise<ChildSpec[]> {
  const { runSpec, hosts, makes = hosts, device, batches, routing = noRouting, fresh = null } = options;
  const host = { device, batches, routing, fresh, port: new RowsPort(device, isHereOf(options)) };
  const specs: ChildSpec[] = [];
  for (const entry of castOf(runSpec)) if (makes(entry.role)) specs.push(await entry.build(host));
  return specs;
}

/** Whether the actor of an address lives on the worker that hosts these roles. */
export function isHereOf({ runSpec, hosts }: Pick<HostOptions, 'runSpec' | 'hosts'>) {
  const roles = rolesByAddress(runSpec);
  return (address: string): boolean => {
    const role = roles.get(address);
    return role !== undefined && hosts(role);
  };
}
