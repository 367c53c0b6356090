/**
 * An entry of the cast: one actor of a run, and all that others have to know of it: where it belongs, what it holds, what it
 * costs, whom it exchanges rows with, and how it is made. Who plays in a run is written here once; placement, plan, traffic,
 * directory and workers read it.
 */
import type { Device } from '../../kernels/device.ts';
import type { ChildSpec } from '../../runtime/index.ts';
import type { RowEdge } from '../../topology/index.ts';
import type { RoutingPort } from '../mixture/choice_log.ts';
import type { Fresh } from '../parameters/fresh.ts';
import type { Share } from '../parameters/share.ts';
import type { BatchPort } from '../stage/batch_port.ts';
import type { RowsPort } from '../stage/rows_port.ts';
import type { RunSpec } from './run_spec.ts';

/** What a worker gives to the actors that it hosts. */
export interface Host {
  readonly device: Device;
  readonly batches: BatchPort;
  readonly port: RowsPort;
  readonly routing: RoutingPort;
  /** Which parameters begin with initial values; the others are restored before anything runs. */
  readonly fresh: Fresh;
}

export interface CastEntry {
  readonly address: string;
  /** What placement places together: a stage rank with its routers, an expert group with its experts. */
  readonly role: string;
  /** The name of its slice of a device; null where it owns none. */
  readonly slice: string | null;
  /** What it holds of the model's parameters, and with whom; null where that is nothing. */
  readonly share: Share | null;
  /** The address of who votes and applies for it; null where it does so itself. */
  readonly speaker: string | null;
  /** Of a training step: three forward passes, experts evenly loaded. */
  readonly flops: number;
  /** It is told before others that a pass is over: a group, which must not have its experts vote any more. */
  readonly runsFirst: boolean;
  /** Its part in passes beside training: one is opened, others follow it and are done when it is; null where it reports nothing. */
  readonly inPasses: 'opened' | 'follows' | null;
  /** Equal for entries that take the same memory where `isHere` tells who lives on their worker; null: rows travel by value. */
  alike(isHere: ((address: string) => boolean) | null): string;
  readonly edges: () => readonly RowEdge[];
  /** Takes all memory and compiles all programs, on a real device or on one that only measures. Throws `OutOfSliceMemory`. */
  build(host: Host): Promise<ChildSpec>;
}

/** An actor that holds parameters: it votes and applies, or another does for it. */
export interface Holder extends CastEntry {
  readonly share: Share;
}

/** All actors of one kind in a run, in the mesh's order. */
export type RoleKind = (runSpec: RunSpec) => readonly CastEntry[];
