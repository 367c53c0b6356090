/** The sums of a share are what it adds to the traffic of a step: each arena that it sums with others. */
import { blocksOfUses, type SumEdge } from '../../topology/index.ts';
import { bucketLength, bucketsOf } from './bucket_plan.ts';
import type { Share } from './share.ts';

export function sumsOf(share: Share | null): SumEdge[] {
  if (share === null) return [];
  const { address, holdings, optimizer, range } = share;
  const shared = holdings.filter(({ sharers, learns }) => learns && sharers.length > 1);
  return bucketsOf(shared, optimizer).map((plan) => ({
    sharers: plan.sharers,
    rank: plan.sharers.indexOf(address),
    length: bucketLength(plan),
    blocks: blocksOfUses(plan.uses, range),
  }));
}
