/** Training on masked targets is refused; looking at held-out text is not. */
import { expect, it } from 'vitest';
import { unmasked } from '../../../src/actors/stage/unmasked_batches.ts';

const batches = unmasked({
  microbatch: ({ microbatch }) => ({
    tokens: Int32Array.of(5, 6, 7),
    targets: microbatch === 2 ? Int32Array.of(6, -1, 8) : Int32Array.of(6, 7, 8),
  }),
});

it('a training microbatch with a masked target is refused by name and row', () => {
  expect(batches.microbatch({ mode: 'train', step: 4, microbatch: 1 }).targets).toHaveLength(3);
  expect(() => batches.microbatch({ mode: 'train', step: 4, microbatch: 2 })).toThrow(
    expect.objectContaining({
      tag: 'MaskedTarget',
      message:
        'microbatch train/4/2: row 1 has no target, and a step is divided by all of its tokens; train on microbatches without masked targets',
    }),
  );
});

it('held-out windows may be filled up with rows that predict nothing', () => {
  expect(batches.microbatch({ mode: 'evaluate', step: 4, microbatch: 2 }).targets[1]).toBe(-1);
});
