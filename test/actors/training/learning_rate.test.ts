/** The learning rate at the joints of its curve, and against the published point of a cosine. */
import { describe, expect, it } from 'vitest';
import { learningRate } from '../../../src/actors/training/learning_rate.ts';
import { smallTopology } from '../kit.ts';

const { optimizer } = smallTopology();
const cosine = { ...optimizer, lr: 1, min_lr: 0.01, warmup_steps: 4, schedule: 'cosine' } as const;

describe('the learning rate', () => {
  it('rises linearly to the peak, which its last warm-up step has', () => {
    expect([0, 1, 2, 3].map((step) => learningRate(step, 100, cosine))).toEqual([0.25, 0.5, 0.75, 1]);
  });

  it('leaves from the peak and ends at min_lr with the last step', () => {
    expect(learningRate(4, 100, cosine)).toBe(1);
    expect(learningRate(99, 100, cosine)).toBe(0.01);
    expect(learningRate(52, 101, cosine)).toBeCloseTo(0.505, 12);
  });

  it('falls at every step between', () => {
    for (let step = 5; step < 100; step++) {
      expect(learningRate(step, 100, cosine)).toBeLessThan(learningRate(step - 1, 100, cosine));
    }
  });

  it('is a fifth of the peak at the published fraction of a cosine to a hundredth', () => {
    // Worked out apart from this code.
    expect(learningRate(7_113_132, 10_000_001, { ...cosine, warmup_steps: 0 })).toBeCloseTo(0.2, 6);
  });

  it('stays at min_lr past the last step', () => {
    expect(learningRate(250, 100, cosine)).toBe(0.01);
  });

  it('stays at the peak where the schedule is constant', () => {
    const constant = { ...cosine, schedule: 'constant' } as const;
    expect([0, 3, 4, 99].map((step) => learningRate(step, 100, constant))).toEqual([0.25, 1, 1, 1]);
  });

  it('is the peak where one step follows the warm-up', () => {
    expect(learningRate(4, 5, cosine)).toBe(1);
  });
});
