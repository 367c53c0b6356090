/**
 * The holders of a system are those actors in it that hold parameters, in the order of the cast. Trainer, checkpointer and
 * agents know the same order from cast and placement, so what an agent says of its holders needs no names.
 */
import type { Holding } from '../parameters/holding.ts';
import { holdersOf } from './cast.ts';
import type { CastEntry, Holder } from './cast_entry.ts';

export interface SystemHolders {
  readonly system: string;
  readonly holders: readonly Holder[];
}

/** The systems that have holders, in the order in which the cast comes to them. Throws `RangeError` for a role without a place. */
export function holdersBySystem(
  cast: readonly CastEntry[],
  placement: ReadonlyMap<string, string>,
): readonly SystemHolders[] {
  const bySystem = new Map<string, Holder[]>();
  for (const entry of holdersOf(cast)) {
    const system = placement.get(entry.role);
    if (system === undefined) throw new RangeError(`${entry.role} has no place`);
    const holders = bySystem.get(system) ?? [];
    holders.push(entry);
    bySystem.set(system, holders);
  }
  return [...bySystem].map(([system, holders]) => ({ system, holders }));
}

/** What a holder answers for: of several sharers of a parameter the first does. */
export const reportedBy = ({ address, share }: Holder): Holding[] =>
  share.holdings.filter(({ sharers }) => sharers[0] === address);

/** What of it has a gradient to vote on. */
export const votedBy = (holder: Holder): Holding[] => reportedBy(holder).filter(({ learns }) => learns);
