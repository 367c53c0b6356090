/** The sentinel's ladder: commit, skip once, stop. */
import { describe, expect, it } from 'vitest';
import { judge } from '../../../src/actors/training/sentinel.ts';

describe('the sentinel', () => {
  it('commits a step of finite loss and gradient norm, whatever came before', () => {
    expect(judge({ step: 1, loss: 1e30, gradNorm: 0 }, [], 0)).toEqual({ verdict: 'commit' });
    expect(judge({ step: 1, loss: 2, gradNorm: 1 }, [], 1)).toEqual({ verdict: 'commit' });
  });

  it.each([
    [NaN, 1, 'loss is NaN'],
    [2, Infinity, 'gradient norm is Infinity'],
    [-Infinity, NaN, 'loss is -Infinity, gradient norm is NaN'],
  ])('skips a batch of loss %d and norm %d with the evidence', (loss, gradNorm, evidence) => {
    expect(judge({ step: 5, loss, gradNorm }, [], 0)).toEqual({ verdict: 'skip', evidence });
  });

  it('stops at the second in a row: never the same remedy twice for one incident', () => {
    expect(judge({ step: 6, loss: NaN, gradNorm: 1 }, [], 1)).toEqual({ verdict: 'stop', evidence: 'loss is NaN' });
  });

  it('takes a spike as it takes no number, and names only what is no number where there is both', () => {
    const spikes = ['loss is 9, 40 deviations above 2, the median of 64 steps'];
    expect(judge({ step: 6, loss: 9, gradNorm: 1 }, spikes, 0)).toEqual({ verdict: 'skip', evidence: spikes[0] });
    expect(judge({ step: 6, loss: 9, gradNorm: 1 }, spikes, 1)).toEqual({ verdict: 'stop', evidence: spikes[0] });
    expect(judge({ step: 6, loss: 9, gradNorm: NaN }, spikes, 0)).toMatchObject({ evidence: 'gradient norm is NaN' });
  });
});
