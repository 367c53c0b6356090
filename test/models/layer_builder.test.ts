/** The builder of layers: names of streams, and one mixture a layer. */
import { expect, it } from 'vitest';
import { LayerBuilder } from '../../src/models/layer_builder.ts';
import { mixturesOf } from '../../src/models/model.ts';
import { modelOf } from './kit.ts';

it('a second mixture of a layer is refused by name', () => {
  const layer = new LayerBuilder('model.layers.1');
  const [mixture] = mixturesOf(modelOf());
  expect(layer.hand('h', () => mixture)).toBe('model.layers.1/0.moe_RD');
  expect(() => layer.hand('h', () => mixture)).toThrow('layer model.layers.1 has a mixture already, and can have one');
});
