/**
 * A share is all that one actor holds of a model, and its part in learning it: what its entry in the cast says, from which memory,
 * plan, traffic and checkpoints follow.
 */
import type { LeafRange, OptimizerSection } from '../../topology/index.ts';
import type { Holding } from './holding.ts';

export interface Share {
  readonly address: string;
  readonly holdings: readonly Holding[];
  /** The microbatches that it makes leaves of. */
  readonly range: LeafRange;
  /** Leaves and blocks of one use that are alive at once, see `gradientsAlive`. */
  readonly alive: number;
  readonly optimizer: OptimizerSection;
  readonly seed: number;
}
