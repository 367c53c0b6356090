/** Who lives where in a run: a pure function of the blueprint and the names of the nodes. */
import type { Blueprint } from './blueprint.ts';
import { castOf, type Member } from './cast.ts';
import { largestMessageBytes } from './message_sizes.ts';
import { placeRoles } from './place_roles.ts';
import { whereaboutsOf, workerName } from './whereabouts.ts';

export interface Layout {
  readonly cast: readonly Member[];
  /** Every system of the run: that of the scribe, of each node, of each worker. */
  readonly systems: readonly string[];
  /** System by role. */
  readonly placement: ReadonlyMap<string, string>;
  /** System by address. */
  readonly places: ReadonlyMap<string, string>;
  /** What slots and links must have room for. */
  readonly largestBytes: number;
}

/** The first of the nodes leads; `scribe`, one of them or not, writes down what happens. */
export function layoutOf(blueprint: Blueprint, nodes: readonly string[], scribe: string): Layout {
  const workers = nodes.flatMap((_, node) =>
    Array.from({ length: blueprint.topology.cluster.workers_per_node }, (__, worker) => ({ node, worker })),
  );
  const nameOf = ({ node, worker }: (typeof workers)[number]): string => workerName(nodes[node], worker);
  const placed = placeRoles(blueprint, workers);
  const placement = new Map([...placed].map(([role, worker]) => [role, nameOf(worker)]));
  const systems = [...new Set([scribe, ...nodes, ...workers.map(nameOf)])];
  const cast = castOf(blueprint);
  return {
    cast,
    systems,
    placement,
    places: whereaboutsOf({ cast, placement, leader: nodes[0], scribe, systems }),
    largestBytes: largestMessageBytes(blueprint, cast),
  };
}
