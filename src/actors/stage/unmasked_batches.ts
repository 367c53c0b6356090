/**
 * Training microbatches of which every token is asked for. The gradient of a step is divided by all of its tokens and the
 * loss by those that have a target, so with a masked one the two would part: it is refused.
 */
import type { BatchPort } from './batch_port.ts';
import { keyOf } from '../protocol/pass.ts';

/** A training microbatch has a target of −1. */
export class MaskedTarget extends Error {
  readonly tag = 'MaskedTarget';
  readonly exitCode = 1;
  constructor(unit: string, row: number) {
    super(
      `microbatch ${unit}: row ${row} has no target, and a step is divided by all of its tokens; train on microbatches without masked targets`,
    );
    this.name = 'MaskedTarget';
  }
}

/** The same batches; what is for training is looked through. `microbatch` throws `MaskedTarget`. */
export const unmasked = (batches: BatchPort): BatchPort => ({
  microbatch: (unit) => {
    const batch = batches.microbatch(unit);
    const row = unit.mode === 'train' ? batch.targets.findIndex((target) => target < 0) : -1;
    if (row >= 0) throw new MaskedTarget(keyOf(unit), row);
    return batch;
  },
});
