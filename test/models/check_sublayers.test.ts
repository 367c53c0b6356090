/** What somebody's sublayers must keep to. */
import { expect, it } from 'vitest';
import { checkSublayers } from '../../src/models/check_sublayers.ts';
import { ones } from '../../src/models/init.ts';
import type { FeedForward, Mixer } from '../../src/models/sublayer.ts';
import { tinyConfig, tinySettings, usualSublayers } from './kit.ts';

it('the usual ones keep to it', () => {
  expect(() => checkSublayers(tinyConfig, tinySettings, usualSublayers)).not.toThrow();
});

it.each([
  ['mlp.up_proj.weight', [8, 8], 'mixer calls a parameter mlp.up_proj.weight, as another part of a layer does'],
  ['self_attn.q_proj.weight', [8, 8], 'mixer has two parameters self_attn.q_proj.weight'],
  ['shift.weight', [1, 8], "mixer's shift.weight is [1, 8]; a matrix has at least two rows and columns"],
])('a parameter %s of %j is refused where it is in the way', (name, shape, refusal) => {
  const { weights, apply } = usualSublayers.mixer;
  const mixer: Mixer = {
    weights: (...given) => ({
      ...weights(...given),
      more: { name, shape, init: ones, decays: false, isHidden: false },
    }),
    apply,
  };
  expect(() => checkSublayers(tinyConfig, tinySettings, { ...usualSublayers, mixer })).toThrow(refusal);
});

it('rows and width must stay', () => {
  const halved: FeedForward = {
    ...usualSublayers.feedForward,
    apply: (h_RD, _w, _shape, ops) => ops.slice(h_RD, 1, 0, 4),
  };
  expect(() => checkSublayers(tinyConfig, tinySettings, { ...usualSublayers, feedForward: halved })).toThrow(
    'feedForward makes [12, 4] of [12, 8]; rows and width must stay',
  );
});
