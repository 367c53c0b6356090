/**
 * The next assignment of a run is a pure function of the nodes that are there: whoever computes it from the same nodes
 * comes to the same one. Roles go to workers in the order of the nodes' names, so a node that is started again under its
 * name gets the roles that it had, and the others keep theirs.
 */
import type { Assignment } from '../protocol/assignment.ts';
import { layoutOf, type NodeOffer } from './layout.ts';
import type { RunSpec } from './run_spec.ts';

/** A node that can be given roles. */
export interface LivingNode extends NodeOffer {
  /** Which life of the node it is. */
  readonly incarnation: number;
}

/** The first node leads. Throws `RangeError` without nodes. */
export function nextAssignment(
  runSpec: RunSpec,
  gen: number,
  nodes: readonly LivingNode[],
  writer: Omit<LivingNode, 'workers'>,
): Assignment {
  const ordered = [...nodes].sort(byName);
  const { systems, placement } = layoutOf(runSpec, ordered, writer.node);
  const [leader] = ordered;
  return {
    gen,
    nodes: ordered.map(({ node }) => node),
    leader: leader.node,
    writer: writer.node,
    systems: [...systems],
    placement: Object.fromEntries(placement),
    incarnations: Object.fromEntries([...ordered, writer].map(({ node, incarnation }) => [node, incarnation])),
  };
}

/** Nodes whose former life is over: those that an assignment has no more, or in another life. */
export function goneSince(before: Assignment, now: Assignment): string[] {
  return before.nodes.filter((node) => now.incarnations[node] !== before.incarnations[node]);
}

/** Roles of a system, in the order of the placement. */
export const rolesOf = ({ placement }: Pick<Assignment, 'placement'>, system: string): string[] =>
  Object.keys(placement).filter((role) => placement[role] === system);

/** `node-2` comes before `node-10`. */
function byName({ node: a }: NodeOffer, { node: b }: NodeOffer): number {
  return a.localeCompare(b, 'en', { numeric: true });
}
