/**
 * A rehearsal makes the actors of a role over a device that only measures. Roles that are alike take the same, so that
 * each distinct one is rehearsed once, and what it asked for is asked again of every worker that hosts such a role.
 */
import { DryDevice, type DrySlice } from '../kernels/cpu/dry_device.ts';
import type { Taking } from '../kernels/cpu/dry_memory.ts';
import { noBatches } from '../actors/stage/batch_port.ts';
import type { RunSpec } from '../actors/placement/run_spec.ts';
import { hostRoles, isHereOf } from '../actors/placement/host_roles.ts';
import { castOf } from '../actors/placement/cast.ts';
import type { CastEntry } from '../actors/placement/cast_entry.ts';

/** Bytes of an actor's slice. */
export interface SliceMemory {
  readonly parameters: number;
  /** Gradients that are alive at once, and blocks of them that sharers send. */
  readonly gradients: number;
  /** What update rules keep from step to step. */
  readonly moments: number;
  /** Inputs, outputs and residuals of every microbatch under way, and of generation. */
  readonly activations: number;
}

export interface RehearsedSlice {
  readonly memory: SliceMemory;
  readonly usedBytes: number;
}

export interface Rehearsed {
  /** What the role asks of a worker's memory, in order. */
  readonly takings: readonly Taking[];
  /** The slices of those of the role's actors that have one, in the order of the cast. */
  readonly slices: readonly RehearsedSlice[];
}

/** The worker that a role lives on, as far as the role's memory depends on it. */
export interface RehearsalPlace {
  /** Whether its device's memory is the host's. */
  readonly sharesMemory: boolean;
  readonly hosts: (role: string) => boolean;
}

export class Rehearsals {
  private readonly runSpec: RunSpec;
  /** The actors of each role. */
  private readonly roles = new Map<string, CastEntry[]>();
  private readonly known = new Map<string, Rehearsed>();

  constructor(runSpec: RunSpec) {
    this.runSpec = runSpec;
    for (const entry of castOf(runSpec)) {
      const known = this.roles.get(entry.role);
      if (known === undefined) this.roles.set(entry.role, [entry]);
      else known.push(entry);
    }
  }

  /** What a role takes on a worker. */
  async of(role: string, place: RehearsalPlace): Promise<Rehearsed> {
    const kind = this.kindOf(role, place);
    const known = this.known.get(kind) ?? (await rehearse(this.runSpec, role, place));
    this.known.set(kind, known);
    return known;
  }

  /** A text that is the same for all roles that take the same on their workers. */
  private kindOf(role: string, { sharesMemory, hosts }: RehearsalPlace): string {
    const isHere = sharesMemory ? null : isHereOf({ runSpec: this.runSpec, hosts });
    const alike = this.roles.get(role)!.map((entry) => entry.alike(isHere));
    return [sharesMemory, ...alike].join('; ');
  }
}

async function rehearse(runSpec: RunSpec, role: string, { sharesMemory, hosts }: RehearsalPlace): Promise<Rehearsed> {
  const device = new DryDevice({ sharesMemory });
  await hostRoles({ runSpec, batches: noBatches, device, hosts, makes: (other) => other === role });
  const slices = device.slices.flatMap((slice) => {
    const one = rehearsed(slice);
    return Array.from({ length: slice.alike }, () => one);
  });
  return { takings: device.takings, slices };
}

function rehearsed(slice: DrySlice): RehearsedSlice {
  const { taken, usedBytes } = slice;
  const bytesOf = (...kinds: readonly string[]): number =>
    taken.reduce((sum, { what, bytes, times }) => sum + (kinds.includes(what) ? bytes * times : 0), 0);
  const parameters = bytesOf('parameters');
  const gradients = bytesOf('gradients');
  const moments = bytesOf('moments');
  return {
    memory: { parameters, gradients, moments, activations: usedBytes - parameters - gradients - moments },
    usedBytes,
  };
}
