/** A layout says which system hosts each actor of a run: a pure function of the run spec and of what the nodes offer. */
import type { RunSpec } from './run_spec.ts';
import { castOf } from './cast.ts';
import type { CastEntry } from './cast_entry.ts';
import { largestMessageBytes } from './message_sizes.ts';
import { placeRoles } from './place_roles.ts';
import { directoryOf, workerName } from './directory.ts';

/** A node and how many workers it has. */
export interface NodeOffer {
  readonly node: string;
  readonly workers: number;
}

export interface Layout {
  readonly cast: readonly CastEntry[];
  /** Every system of the run: that of the writer, of each node, of each worker. */
  readonly systems: readonly string[];
  /** System by role. */
  readonly placement: ReadonlyMap<string, string>;
  /** System by address. */
  readonly places: ReadonlyMap<string, string>;
  /** What slots and links must have room for. */
  readonly largestBytes: number;
}

/** The first of the nodes leads; `writer`, one of them or not, writes down what happens. Throws `RangeError` without workers. */
export function layoutOf(runSpec: RunSpec, nodes: readonly NodeOffer[], writer: string): Layout {
  const workers = nodes.flatMap(({ workers: count }, node) =>
    Array.from({ length: count }, (_, worker) => ({ node, worker })),
  );
  const nameOf = ({ node, worker }: (typeof workers)[number]): string => workerName(nodes[node].node, worker);
  const placed = placeRoles(runSpec, workers);
  const placement = new Map([...placed].map(([role, worker]) => [role, nameOf(worker)]));
  const names = nodes.map(({ node }) => node);
  const systems = [...new Set([writer, ...names, ...workers.map(nameOf)])];
  const cast = castOf(runSpec);
  return {
    cast,
    systems,
    placement,
    places: directoryOf({ cast, placement, leader: names[0], writer, systems }),
    largestBytes: largestMessageBytes(cast),
  };
}
