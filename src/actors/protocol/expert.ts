/**
 * The experts of one layer. An expert is an actor with its own address and state; the rows of all experts that are placed
 * together travel in one envelope to their group, which runs them, and votes and applies for them.
 */
import { z } from 'zod';
import { ask, defineProtocol, itself, tell } from '../../runtime/index.ts';
import { routers, agents } from './callers.ts';
import { unitSchema } from './pass.ts';
import { rowsSchema } from './rows.ts';
import { stateMessages, stepMessages } from './parameters.ts';

const dispatched = unitSchema.extend({
  /** Rows of each expert of the group, which follow one another in `rows`. */
  counts: z.array(z.int()),
  rows: rowsSchema,
});

export const expertProtocol = defineProtocol('expert', { ...stateMessages });

export const expertGroupProtocol = defineProtocol('expert_group', {
  ...stepMessages,
  /** Rows for the experts of this group. The answer goes to the router that sent them. */
  dispatch: tell({ lane: 'data', from: [routers], args: dispatched }),
  /** Gradients of the outputs of an earlier dispatch. */
  outputsGradient: tell({ lane: 'data', from: [routers], args: dispatched }),
  /** The group tells itself that gradients of weights could not be made. */
  weightsFailed: tell({ from: [itself] }),
  /** Its gen is over: the pass under way is dropped, and no vote on it begins any more. */
  abandon: ask({ from: [agents] }),
});
