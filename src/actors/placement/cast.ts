/**
 * The cast lists every actor that is placed in a run, of every kind. It follows from the run spec alone, so that any thread
 * knows all of it; a new kind of actor is one more line here.
 */
import { expertGroups } from '../mixture/expert_kind.ts';
import { stages } from '../stage/stage_kind.ts';
import type { CastEntry, Holder, RoleKind } from './cast_entry.ts';
import type { RunSpec } from './run_spec.ts';

/** Stages come with their routers, and expert groups with their experts. */
const kinds: readonly RoleKind[] = [stages, expertGroups];

const casts = new WeakMap<RunSpec, readonly CastEntry[]>();

/** Every placed actor, by kind and in the mesh's order: what is folded over them has one order. Drawn up once. */
export function castOf(runSpec: RunSpec): readonly CastEntry[] {
  const known = casts.get(runSpec) ?? kinds.flatMap((kind) => kind(runSpec));
  casts.set(runSpec, known);
  return known;
}

const roles = new WeakMap<RunSpec, ReadonlyMap<string, string>>();

/** The role of every placed actor, by its address. */
export function rolesByAddress(runSpec: RunSpec): ReadonlyMap<string, string> {
  const known = roles.get(runSpec) ?? new Map(castOf(runSpec).map(({ address, role }) => [address, role]));
  roles.set(runSpec, known);
  return known;
}

/** Those that hold parameters, vote and apply. */
export const holdersOf = (cast: readonly CastEntry[]): Holder[] =>
  cast.filter((entry): entry is Holder => entry.share !== null);

/** FLOPs of a training step of each role: what placement balances. */
export function flopsByRole(cast: readonly CastEntry[]): Map<string, number> {
  const flops = new Map<string, number>();
  for (const { role, flops: own } of cast) flops.set(role, (flops.get(role) ?? 0) + own);
  return flops;
}
