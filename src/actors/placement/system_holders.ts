/**
 * The holders of a system are those actors in it that hold parameters, in the order of the cast. Trainer, checkpointer and
 * agents know the same order from cast and placement, so what an agent says of its holders needs no names.
 */
import type { Parameter } from '../../models/parameter.ts';
import { holdersOf } from './cast.ts';
import type { CastEntry } from './cast_entry.ts';

export interface SystemHolders {
  readonly system: string;
  readonly holders: readonly CastEntry[];
}

/** The systems that have holders, in the order in which the cast comes to them. Throws `RangeError` for a role without a place. */
export function holdersBySystem(
  cast: readonly CastEntry[],
  placement: ReadonlyMap<string, string>,
): readonly SystemHolders[] {
  const bySystem = new Map<string, CastEntry[]>();
  for (const entry of holdersOf(cast)) {
    const system = placement.get(entry.role);
    if (system === undefined) throw new RangeError(`${entry.role} has no place`);
    const holders = bySystem.get(system) ?? [];
    holders.push(entry);
    bySystem.set(system, holders);
  }
  return [...bySystem].map(([system, holders]) => ({ system, holders }));
}

/** The parameters that a holder answers for: of several sharers the first does. */
export const reportedBy = ({ address, parameters, sharers }: CastEntry): readonly Parameter[] =>
  sharers[0] === address ? parameters : [];
