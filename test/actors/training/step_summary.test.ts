/** What votes add up to: the same in any order of arrival, and never with rows lost or made. */
import { describe, expect, it } from 'vitest';
import { emptyVote, type Vote } from '../../../src/actors/protocol/parameters.ts';
import type { RoutingReport, Sum } from '../../../src/actors/protocol/report.ts';
import { RowsNotConserved, summarise } from '../../../src/actors/training/step_summary.ts';
import { unit } from '../../../src/runtime/testing/index.ts';

const report = (layer: number, microbatch: number): RoutingReport => ({
  mixture: `${layer}`,
  order: layer,
  microbatch,
  routed: 10,
  sent: 8,
  spilled: 0,
  dropped: 2,
  load: [4 + microbatch, 6 - microbatch],
  auxLoss: unit(1, layer, microbatch),
  zLoss: unit(2, layer, microbatch),
  tokens: 10,
  logitSquares: 10 * layer,
});

/** Numbers of very different sizes, so that the order of additions shows. */
const spread = (...words: number[]): number => unit(...words) * 2 ** (40 * unit(8, ...words));

const lossOf = (microbatch: number, sum: number): Sum => ({ name: 'loss', corpus: '', microbatch, sum, weight: 10 });

/** Two layers, three microbatches: a stage, a router and two experts a layer. */
const votes: readonly Vote[] = [
  {
    ...emptyVote,
    sums: [0, 1, 2].map((microbatch) => lossOf(microbatch, 20 + unit(3, microbatch))),
    squares: { b: 0.25, a: 0.1 },
  },
  ...[1, 3].flatMap((layer): Vote[] => [
    { ...emptyVote, routing: [0, 1, 2].map((m) => report(layer, m)), squares: { [`router-${layer}`]: unit(4, layer) } },
    { ...emptyVote, processed: { [layer]: 13 }, squares: { [`expert-${layer}-0`]: unit(5, layer) } },
    { ...emptyVote, processed: { [layer]: 11 }, squares: { [`expert-${layer}-1`]: unit(6, layer) } },
  ]),
];

describe('a step summary', () => {
  it('adds up losses, layers and rows', () => {
    const found = summarise(7, votes, 3);
    const each = [0, 1, 2];
    expect(found.loss).toBe((20 + unit(3, 0) + (20 + unit(3, 1)) + (20 + unit(3, 2))) / 30);
    expect(found.auxLoss).toBeCloseTo(
      each.reduce((sum, m) => sum + (unit(1, 1, m) + unit(1, 3, m)) / 3, 0),
      12,
    );
    expect(found.zLoss).toBeCloseTo(
      each.reduce((sum, m) => sum + (unit(2, 1, m) + unit(2, 3, m)) / 3, 0),
      12,
    );
    const { routed, processed, spilled, dropped, load } = found;
    expect({ routed, processed, spilled, dropped }).toEqual({ routed: 60, processed: 48, spilled: 0, dropped: 12 });
    expect(load).toEqual({ 1: [15, 15], 3: [15, 15] });
    const even = { max_violation: 0, dead: 0, effective: 1 };
    expect(found.health).toEqual({ 1: { ...even, logit_size: 1 }, 3: { ...even, logit_size: Math.sqrt(3) } });
    const squares = 0.35 + unit(4, 1) + unit(4, 3) + unit(5, 1) + unit(5, 3) + unit(6, 1) + unit(6, 3);
    expect(found.gradNorm).toBeCloseTo(Math.sqrt(squares), 12);
  });

  it('is the same bits in any order of votes and reports', () => {
    const microbatches = Array.from({ length: 12 }, (_, i) => i);
    const own = (m: number): Vote => ({
      ...emptyVote,
      sums: [lossOf(m, spread(3, m))],
      routing: [3, 1].map((layer) => ({
        ...report(layer, m),
        auxLoss: spread(1, layer, m),
        zLoss: spread(2, layer, m),
      })),
      processed: { 1: 8, 3: 8 },
      squares: { [`t${m}`]: spread(4, m) },
    });
    const each = microbatches.map(own);
    const expected = summarise(7, each, 12);
    for (let seed = 0; seed < 20; seed++) {
      const order = microbatches.map((m) => ({ m, key: unit(seed, m) })).sort((a, b) => a.key - b.key);
      const shuffled = order.map(({ m }) => ({
        ...each[m],
        routing: unit(seed, 50, m) < 0.5 ? each[m].routing : each[m].routing.toReversed(),
      }));
      expect(summarise(7, shuffled, 12)).toEqual(expected);
      // Reports of several microbatches in one vote come in any order as well.
      const one = {
        ...emptyVote,
        sums: shuffled.flatMap((vote) => vote.sums),
        routing: shuffled.flatMap((vote) => vote.routing),
      };
      const rest = each.map((vote) => ({ ...vote, sums: [], routing: [] }));
      expect(summarise(7, [...rest, one], 12)).toEqual(expected);
    }
  });

  it('splits among replicas as among one: reports of a layer may come from several routers', () => {
    const split = votes.flatMap((vote): Vote[] =>
      vote.routing.length === 0
        ? [vote]
        : [
            { ...vote, routing: vote.routing.slice(1) },
            { ...emptyVote, routing: vote.routing.slice(0, 1) },
          ],
    );
    expect(summarise(7, split, 3)).toEqual(summarise(7, votes, 3));
  });

  it.each([
    ['lost', 10],
    ['made', 12],
  ])('refuses a step with rows %s on their way, naming step, mixture and counts', (_what, processed) => {
    const wrong = votes.map((vote) =>
      '3' in vote.processed && vote.processed[3] === 11 ? { ...vote, processed: { 3: processed } } : vote,
    );
    expect(() => summarise(7, wrong, 3)).toThrow(
      new RowsNotConserved(7, '3', { routed: 30, processed: 13 + processed, spilled: 0, dropped: 6 }),
    );
    expect(() => summarise(7, wrong, 3)).toThrow(
      `step 7, mixture 3: 30 rows routed, but ${13 + processed} processed + 0 spilled + 6 dropped; the step is not applied`,
    );
  });

  it('refuses losses that count something else than the gradient was divided by', () => {
    const share = (microbatch: number, weight: number): Sum => ({
      ...lossOf(microbatch, 30),
      name: 'denominator',
      weight,
    });
    const stage = (...weights: number[]): Vote => ({ ...emptyVote, sums: weights.map((each, m) => share(m, each)) });
    expect(() => summarise(7, [stage(10), stage(20)], 2)).not.toThrow();
    expect(() => summarise(7, [stage(10), stage(19)], 2)).toThrow(
      'step 7: the gradient was divided by 30, and the losses count 29; the step is not applied',
    );
  });

  it('of a dense model has no rows and no balance losses', () => {
    const { loss, gradNorm: _, ...rest } = summarise(0, votes.slice(0, 1), 3);
    expect(loss).toBeGreaterThan(0);
    expect(rest).toEqual({
      bitsPerByte: null,
      losses: {},
      auxLoss: 0,
      zLoss: 0,
      routed: 0,
      processed: 0,
      creditWaitMs: {},
      spilled: 0,
      dropped: 0,
      load: {},
      health: {},
    });
  });
});
