/** The learning rate at the joints of its curves, and against the published point of a cosine. */
import { describe, expect, it } from 'vitest';
import { learningRate } from '../../../src/actors/training/learning_rate.ts';
import { smallTopology } from '../kit.ts';

const { optimizer } = smallTopology();
const upTo = (steps: number, rule: Parameters<typeof learningRate>[2]) =>
  Array.from({ length: steps }, (_, step) => learningRate(step, steps, rule));
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

  it('falls by as much in every step where the schedule is linear', () => {
    const linear = { ...cosine, min_lr: 0.25, schedule: 'linear' } as const;
    expect(upTo(9, linear)).toEqual([0.25, 0.5, 0.75, 1, 1, 0.8125, 0.625, 0.4375, 0.25]);
    expect(learningRate(250, 9, linear)).toBe(0.25);
  });

  it('stays at the peak until the decay, whose last step has min_lr, where the schedule is wsd', () => {
    const wsd = { ...cosine, min_lr: 0.25, schedule: 'wsd', decay_steps: 4 } as const;
    const stable = [0.25, 0.5, 0.75, 1, 1, 1];
    expect(upTo(10, { ...wsd, decay_type: 'linear' })).toEqual([...stable, 0.8125, 0.625, 0.4375, 0.25]);
    const roots = [0.5, Math.sqrt(0.5), Math.sqrt(0.75), 1].map((root) => 0.25 * root + (1 - root));
    expect(upTo(10, wsd)).toEqual([...stable, ...roots]);
    expect(learningRate(250, 10, wsd)).toBe(0.25);
  });

  it('decays over a tenth of the steps, rounded up, where wsd is not told how many', () => {
    const wsd = { ...cosine, schedule: 'wsd' } as const;
    expect(upTo(100, wsd)).toEqual(upTo(100, { ...wsd, decay_steps: 10 }));
    expect(upTo(101, wsd)).toEqual(upTo(101, { ...wsd, decay_steps: 11 }));
  });

  it('may decay from the warm-up on', () => {
    const wsd = { ...cosine, min_lr: 0, schedule: 'wsd', decay_steps: 2, decay_type: 'linear' } as const;
    expect(upTo(6, wsd)).toEqual([0.25, 0.5, 0.75, 1, 0.5, 0]);
  });

  it.each(['linear', 'wsd'] as const)('has exactly the peak and min_lr of a %s schedule at its ends', (schedule) => {
    for (const [lr, min_lr] of [
      [2e-3, 2e-4],
      [3e-4, 1e-5],
      [0.7, 0.1],
    ]) {
      const rates = upTo(50, { ...cosine, lr, min_lr, schedule });
      expect([rates[3], rates[4], rates[49]]).toEqual([lr, lr, min_lr]);
    }
  });
});
