/** Scores of samples, from the log-probabilities of a microbatch's rows. */
import { expect, it } from 'vitest';
import { batchStreams } from '../../src/models/model.ts';
import { logProbsOf, sampleScores } from '../../src/run/sample_scores.ts';

const batch = (targets: number[], { begins, live }: { begins?: number[]; live?: number[] } = {}) => ({
  tensors: {
    [batchStreams.targets]: Int32Array.from(targets),
    ...(begins === undefined ? {} : { [batchStreams.begins]: Int32Array.from(begins) }),
  },
  live_R: live === undefined ? null : Uint8Array.from(live),
});

it('has the loss of a row as its log-probability, and none where it has no target', () => {
  const logProbs = logProbsOf(batch([5, -1, 0, 7]), Float32Array.of(0.5, 0, 0, 2));
  expect([...logProbs]).toEqual([-0.5, NaN, 0, -2]);
  expect(Object.is(logProbs[2], 0)).toBe(true);
});

it('sums the rows of each sequence that have a target', () => {
  const scores = sampleScores(batch([]), Float32Array.of(-1, NaN, -2, NaN, NaN, NaN), 3);
  expect(scores).toEqual([
    { firstRow: 0, rows: 3, tokens: 2, logProb: -3 },
    { firstRow: 3, rows: 3, tokens: 0, logProb: 0 },
  ]);
});

it('tells apart the samples that lie in one sequence, and leaves padding out', () => {
  const packed = batch([], { begins: [0, 0, 2, 2, 0, 1, 1, 3], live: [1, 1, 1, 1, 1, 1, 1, 0] });
  expect(sampleScores(packed, Float32Array.of(-1, -2, -4, -8, -16, -32, NaN, NaN), 4)).toEqual([
    { firstRow: 0, rows: 2, tokens: 2, logProb: -3 },
    { firstRow: 2, rows: 2, tokens: 2, logProb: -12 },
    { firstRow: 4, rows: 1, tokens: 1, logProb: -16 },
    { firstRow: 5, rows: 2, tokens: 1, logProb: -32 },
  ]);
});

it('has no sample of a sequence that is padding', () => {
  const padded = batch([], { live: [1, 1, 0, 0] });
  expect(sampleScores(padded, Float32Array.of(-1, -1, NaN, NaN), 2)).toEqual([
    { firstRow: 0, rows: 2, tokens: 2, logProb: -2 },
  ]);
});
