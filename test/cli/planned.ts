/** A plan of a topology file that a test has the text of. */
import { runSpecOf } from '../../src/actors/placement/run_spec.ts';
import { planRun } from '../../src/run/plan.ts';
import { parseTopology } from '../../src/topology/index.ts';

/** The default model on two workers. */
export const two = `
name: two
cluster: { workers_per_node: 2 }
parallelism: { data_parallel: 2, expert_parallel: 2 }
`;

/** The plan of a topology file of this text. */
export const planOf = async (text: string) =>
  planRun(await runSpecOf({ topology: parseTopology(text, 'run.yaml'), baseDir: '.', vocabulary: 256 }));
