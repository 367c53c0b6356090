/** A topology written in a program, instead of a file. */
import type { z } from 'zod';
import { parseTopology } from './parse.ts';
import { type Topology, topologySchema } from './schema.ts';

/** What a topology file may hold, as an object: every section and key may be left out. */
export type TopologyInput = z.input<typeof topologySchema>;

/**
 * Resolves a topology: defaults are filled in, all is checked as in a file.
 *
 *     const topology = defineTopology({ model: { hidden_size: 64 }, training: { steps: 100 } });
 *
 * Throws `ConfigError` with one line: key, what was found, what is allowed.
 */
export function defineTopology(sections: TopologyInput): Topology {
  const source = 'defineTopology';
  const overrides = Object.entries(sections).map(([key, value]) => ({ path: [key], value, source }));
  return parseTopology('', source, overrides);
}
