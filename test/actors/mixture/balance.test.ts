/** The auxiliary losses of a router against published numbers, and their gradients against finite differences. */
import { describe, expect, it } from 'vitest';
import { addBalanceGradient, balance } from '../../../src/actors/mixture/balance.ts';
import { unit } from '../../../src/runtime/testing/index.ts';

/** Row-wise softmax, in float64. */
function softmax(logits_RE: ArrayLike<number>, experts: number): Float64Array {
  const probs_RE = new Float64Array(logits_RE.length);
  for (let at = 0; at < logits_RE.length; at += experts) {
    let sum = 0;
    for (let e = 0; e < experts; e++) sum += Math.exp(logits_RE[at + e]);
    for (let e = 0; e < experts; e++) probs_RE[at + e] = Math.exp(logits_RE[at + e]) / sum;
  }
  return probs_RE;
}

describe('losses', () => {
  // Worked out by hand.
  const logits_RE = Float32Array.of(1, 0, 2, 0, 0, 1, 3, 0);
  const probs_RE = Float32Array.from(softmax(logits_RE, 2));
  const first_E = Int32Array.of(3, 1);

  it('are the golden ones of the Switch paper’s formulas', () => {
    const found = balance(logits_RE, probs_RE, first_E, { experts: 2, auxCoef: 0.01, zCoef: 0.001 });
    expect(found.auxLoss / 0.01).toBeCloseTo(1.2083428, 6);
    expect(found.zLoss / 0.001).toBeCloseTo(4.316755, 6);
  });

  it('are alpha and nothing at perfect balance without z-loss', () => {
    const found = balance(new Float32Array(16), new Float32Array(16).fill(0.25), Int32Array.of(1, 1, 1, 1), {
      experts: 4,
      auxCoef: 0.01,
      zCoef: 0,
    });
    expect(found).toEqual({ auxLoss: 0.01, zLoss: 0 });
  });

  it('keep finite at logits that overflow an exponential', () => {
    const { zLoss } = balance(Float32Array.of(1000, 1000), Float32Array.of(0.5, 0.5), Int32Array.of(1, 0), {
      experts: 2,
      auxCoef: 0,
      zCoef: 1,
    });
    expect(zLoss).toBeCloseTo((1000 + Math.LN2) ** 2, 6);
  });

  it('of no tokens are zero', () => {
    const rule = { experts: 2, auxCoef: 1, zCoef: 1 };
    expect(balance(new Float32Array(0), new Float32Array(0), new Int32Array(2), rule)).toEqual({
      auxLoss: 0,
      zLoss: 0,
    });
  });
});

describe('gradients', () => {
  const [R, E] = [5, 3];
  const logits = Float64Array.from({ length: R * E }, (_, i) => 4 * unit(7, i) - 2);
  const first_E = Int32Array.of(3, 1, 1);
  const rule = { experts: E, auxCoef: 0.3, zCoef: 0.2 };
  const share = 0.25;

  /** Both losses from logits, in float64 and by the definition. */
  function loss(at: Float64Array): number {
    const probs = softmax(at, E);
    let aux = 0;
    let squares = 0;
    for (let e = 0; e < E; e++) {
      let mass = 0;
      for (let t = 0; t < R; t++) mass += probs[t * E + e] / R;
      aux += (first_E[e] / R) * mass;
    }
    for (let t = 0; t < R; t++) {
      let sum = 0;
      for (let e = 0; e < E; e++) sum += Math.exp(at[t * E + e]);
      squares += Math.log(sum) ** 2 / R;
    }
    return share * (rule.auxCoef * E * aux + rule.zCoef * squares);
  }

  const logits_RE = Float32Array.from(logits);
  const probs_RE = Float32Array.from(softmax(logits, E));

  it('match finite differences through the softmax', () => {
    const dProbs = new Float32Array(R * E);
    const dLogits = new Float32Array(R * E);
    const gradients = { dProbs_RE: dProbs, dLogits_RE: dLogits };
    addBalanceGradient(logits_RE, probs_RE, first_E, rule, share, gradients);
    for (let i = 0; i < R * E; i++) {
      const row = Math.floor(i / E) * E;
      let flow = 0;
      for (let e = 0; e < E; e++) flow += dProbs[row + e] * probs_RE[row + e];
      const total = dLogits[i] + probs_RE[i] * (dProbs[i] - flow);
      const step = 1e-5;
      const [up, down] = [logits.slice(), logits.slice()];
      up[i] += step;
      down[i] -= step;
      expect(total).toBeCloseTo((loss(up) - loss(down)) / (2 * step), 6);
    }
  });

  it('add to what is there', () => {
    const fresh = { dProbs_RE: new Float32Array(R * E), dLogits_RE: new Float32Array(R * E) };
    addBalanceGradient(logits_RE, probs_RE, first_E, rule, share, fresh);
    const added = { dProbs_RE: new Float32Array(R * E).fill(1), dLogits_RE: new Float32Array(R * E).fill(-1) };
    addBalanceGradient(logits_RE, probs_RE, first_E, rule, share, added);
    for (let i = 0; i < R * E; i++) {
      expect(added.dProbs_RE[i] - 1).toBeCloseTo(fresh.dProbs_RE[i], 6);
      expect(added.dLogits_RE[i] + 1).toBeCloseTo(fresh.dLogits_RE[i], 6);
    }
  });
});
