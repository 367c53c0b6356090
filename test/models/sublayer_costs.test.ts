/** What a sublayer costs by its trace is what the closed formulas say of the usual ones. */
import { expect, it } from 'vitest';
import { feedForward as swiglu } from '../../examples/swiglu.ts';
import { usualSublayers } from '../../src/models/decoder.ts';
import { sublayerCosts } from '../../src/models/sublayer_costs.ts';
import type { FeedForward } from '../../src/models/sublayer.ts';
import { attentionCost, feedForwardCost } from '../../src/topology/index.ts';
import { tinyShape } from './kit.ts';

const { hidden, ffn, heads } = tinyShape;
const rows = { batch: 2, sequence: 6 };

it('of attention and ReLU is that of the formulas', () => {
  expect(sublayerCosts(tinyShape, rows, usualSublayers)).toEqual({
    mixer: attentionCost({ hidden, heads, keyValueHeads: heads, headDim: hidden / heads }, rows.sequence),
    feedForward: feedForwardCost(hidden, ffn, 2),
  });
});

it('of a gated network is that of three matrices', () => {
  const { feedForward } = sublayerCosts(tinyShape, rows, { ...usualSublayers, feedForward: swiglu });
  expect(feedForward).toEqual(feedForwardCost(hidden, ffn, 3));
});

it('is refused where rows or width do not stay', () => {
  const halved: FeedForward = {
    ...usualSublayers.feedForward,
    apply: (h_RD, _w, _shape, ops) => ops.slice(h_RD, 1, 0, 4),
  };
  expect(() => sublayerCosts(tinyShape, rows, { ...usualSublayers, feedForward: halved })).toThrow(
    'feedForward makes [12, 4] of [12, 8]; rows and width must stay',
  );
});
