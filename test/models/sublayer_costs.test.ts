/** What a sublayer costs by its trace is what the closed formulas say of the usual ones. */
import { expect, it } from 'vitest';
import { feedForward as swiglu } from '../../examples/swiglu.ts';
import { usualSublayers } from '../../src/models/usual_sublayers.ts';
import { sublayerCosts } from '../../src/models/sublayer_costs.ts';
import type { FeedForward, Mixer } from '../../src/models/sublayer.ts';
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

it.each([
  ['mlp.up_proj.weight', [8, 8], 'mixer calls a parameter mlp.up_proj.weight, as another part of a layer does'],
  ['self_attn.q_proj.weight', [8, 8], 'mixer has two parameters self_attn.q_proj.weight'],
  ['shift.weight', [1, 8], "mixer's shift.weight is [1, 8]; a matrix has at least two rows and columns"],
])('is not counted where the parameter %s of %j is in the way', (name, shape, refusal) => {
  const { weights, apply } = usualSublayers.mixer;
  const mixer: Mixer = {
    weights: (...given) => ({ ...weights(...given), more: { name, shape, init: 'ones', decays: false } }),
    apply,
  };
  expect(() => sublayerCosts(tinyShape, rows, { ...usualSublayers, mixer })).toThrow(refusal);
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
