/** The parts of a share are what a shareholding is made of: all memory of an actor's parameters, taken before it starts. */
import type { Device, Slice } from '../../kernels/device.ts';
import { DATA_CAPACITY } from '../../runtime/index.ts';
import { bucketLength, bucketsOf } from './bucket_plan.ts';
import type { Fresh } from './fresh.ts';
import type { Share } from './share.ts';
import { LeafGradients } from './leaf_gradients.ts';
import { ParameterSet } from './parameter_set.ts';
import { createSharings, messagesUnderWay, roomsOf, type Sharing } from './sharing.ts';

export interface ShareParts {
  readonly device: Device;
  readonly parameters: ParameterSet;
  /** Of the microbatches that this actor takes through its programs. */
  readonly leaves: LeafGradients;
  readonly sharings: readonly Sharing[];
}

/** Takes the memory of a share from a slice; what is `fresh` begins with initial values. Throws `OutOfSliceMemory`. */
export async function createShare(
  device: Device,
  slice: Slice,
  share: Share,
  fresh: Fresh = null,
): Promise<ShareParts> {
  const { address, holdings, range, alive } = share;
  const parameters = await ParameterSet.create(device, slice, holdings, { ...share, fresh });
  parameters.reserveGradients(alive);
  const leaves = new LeafGradients(parameters.learning, range);
  const sharings = await createSharings(device, slice, parameters.learning, { address, range });
  return { device, parameters, leaves, sharings };
}

/** Equal for shares that take the same memory. */
export function shareAlike({ address, holdings, range, alive, optimizer }: Omit<Share, 'seed'>): string {
  const plans = bucketsOf(holdings, optimizer);
  const buckets = plans.map((plan) => [bucketLength(plan), plan.rule?.name, plan.uses.own.length]);
  return JSON.stringify([alive, buckets, roomsOf(plans, address, range)]);
}

/** Messages that fit into the data lane of an actor with this share: those of its sums beside all others. */
export function dataCapacityOf({ sharings }: ShareParts): number {
  return sharings.reduce((sum, sharing) => sum + messagesUnderWay(sharing), DATA_CAPACITY);
}
