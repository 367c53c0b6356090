/**
 * The experts of one layer. An expert is an actor with its own address, state and vote; the rows of all experts that are
 * placed together travel in one envelope to their group, which runs them.
 */
import { z } from 'zod';
import { ask, defineProtocol, itself, tell } from '../../runtime/index.ts';
import { experts, routers, agents } from './callers.ts';
import { unitSchema } from './pass.ts';
import { rowsSchema } from './rows.ts';
import { parameterMessages } from './parameters.ts';

const dispatched = unitSchema.extend({
  /** Rows of each expert of the group, which follow one another in `rows`. */
  counts: z.array(z.int()),
  rows: rowsSchema,
});

export const expertProtocol = defineProtocol('expert', { ...parameterMessages });

export const expertGroupProtocol = defineProtocol('expert_group', {
  /** Rows for the experts of this group. The answer goes to the router that sent them. */
  dispatch: tell({ lane: 'data', from: [routers], args: dispatched }),
  /** Gradients of the outputs of an earlier dispatch. */
  outputsGradient: tell({ lane: 'data', from: [routers], args: dispatched }),
  /** The group tells itself that gradients of weights could not be made. */
  weightsFailed: tell({ from: [itself] }),
  /** An expert of the group has reached a parameter version, whatever the gen. */
  advanced: tell({ fenced: false, from: [experts], args: z.object({ version: z.int() }) }),
  /** Their gen is over: its experts drop what they hold of the pass under way. */
  abandon: ask({ from: [agents] }),
});
