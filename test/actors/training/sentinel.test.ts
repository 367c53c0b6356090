/** The sentinel's ladder: commit, skip once, stop. */
import { describe, expect, it } from 'vitest';
import { judge } from '../../../src/actors/training/sentinel.ts';

describe('the sentinel', () => {
  it('commits a step of finite loss and gradient norm, whatever came before', () => {
    expect(judge({ step: 1, loss: 1e30, gradNorm: 0 }, 0)).toEqual({ verdict: 'commit' });
    expect(judge({ step: 1, loss: 2, gradNorm: 1 }, 1)).toEqual({ verdict: 'commit' });
  });

  it.each([
    [NaN, 1, 'loss is NaN'],
    [2, Infinity, 'gradient norm is Infinity'],
    [-Infinity, NaN, 'loss is -Infinity, gradient norm is NaN'],
  ])('skips a batch of loss %d and norm %d with the evidence', (loss, gradNorm, evidence) => {
    expect(judge({ step: 5, loss, gradNorm }, 0)).toEqual({ verdict: 'skip', evidence });
  });

  it('stops at the second in a row: never the same remedy twice for one incident', () => {
    expect(judge({ step: 6, loss: NaN, gradNorm: 1 }, 1)).toEqual({ verdict: 'stop', evidence: 'loss is NaN' });
  });
});
