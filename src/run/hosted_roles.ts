/**
 * The hosted roles of a worker live on its device, and change with the assignment of a gen. Roles that are placed
 * otherwise are ended, the device is opened anew, and the others are made: a worker takes all of its memory and compiles
 * all of its programs at once, so that none of it is in two hands. A worker whose roles stay where they are keeps them.
 */
import type { Device } from '../kernels/device.ts';
import type { ActorSystem, ChildSpec } from '../runtime/index.ts';
import { rolesSpec } from './cluster.ts';

/** A device with the roles that live on it. */
export interface OpenedRoles {
  readonly device: Device;
  readonly specs: readonly ChildSpec[];
}

export class HostedRoles {
  private readonly system: ActorSystem;
  private readonly open: (roles: readonly string[]) => Promise<OpenedRoles>;
  private roles: readonly string[] | null = null;
  private opened: Device | null = null;

  /** `open` takes all memory and compiles all programs of roles. */
  constructor(system: ActorSystem, open: (roles: readonly string[]) => Promise<OpenedRoles>) {
    this.system = system;
    this.open = open;
  }

  /** The device that the roles compute on; null where there are none. */
  get device(): Device | null {
    return this.opened;
  }

  /** Hosts `roles` and no others. Throws `OutOfSliceMemory`, `NoAdapter`; then none is hosted. */
  async host(roles: readonly string[]): Promise<void> {
    if (this.roles?.join() === roles.join()) return;
    await this.close();
    const { device, specs } = await this.open(roles);
    this.opened = device;
    this.roles = roles;
    this.system.start(rolesSpec(this.system.name, specs));
  }

  /** Ends the roles, each after its message in hand, then the device. */
  async close(): Promise<void> {
    this.roles = null;
    const device = this.opened;
    this.opened = null;
    await this.system.end(rolesAddress(this.system.name));
    await device?.close();
  }
}

const rolesAddress = (worker: string): string => rolesSpec(worker, []).address;
