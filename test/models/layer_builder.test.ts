/** The builder of layers: names of streams, and mixtures at places of their own. */
import { expect, it } from 'vitest';
import { LayerBuilder } from '../../src/models/layer_builder.ts';
import { mixturesOf } from '../../src/models/model.ts';
import { modelOf } from './kit.ts';

const [mixture] = mixturesOf(modelOf());

it('hands rows to several mixtures of a layer, each by its part of it', () => {
  const layer = new LayerBuilder('model.layers.1');
  const places: unknown[] = [];
  const make = (place: unknown) => {
    places.push(place);
    return mixture;
  };
  expect(layer.hand('h', make, 'in')).toBe('model.layers.1/0.moe_RD');
  layer.hand('h', make, 'out');
  expect(places).toEqual([
    {
      hand: { kind: 'hand', to: 'model.layers.1.in', gives: 'h', takes: 'model.layers.1/0.moe_RD' },
      part: 'in',
      before: 0,
    },
    {
      hand: { kind: 'hand', to: 'model.layers.1.out', gives: 'h', takes: 'model.layers.1/1.moe_RD' },
      part: 'out',
      before: 1,
    },
  ]);
});

it('refuses two mixtures of one name', () => {
  const layer = new LayerBuilder('model.layers.1');
  const make = ({ hand: { to: id } }: { hand: { to: string } }) => ({ ...mixture, id });
  layer.hand('h', make);
  expect(() => layer.hand('h', make)).toThrow('there are two mixtures model.layers.1.mlp');
});
