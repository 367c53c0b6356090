/** From the sections of a topology file to the config of a model. */
import { expect, it } from 'vitest';
import { nextToken } from '../../src/models/objectives/next_token.ts';
import { modelConfigOf, traceSettingsOf } from '../../src/models/from_topology.ts';
import { parseTopology } from '../../src/topology/index.ts';

const configOf = (text: string) => modelConfigOf(parseTopology(text, 'run.yaml'), 256);

it.each([
  [1, [0, 1, 2, 3]],
  [2, [1, 3]],
  [3, [2]],
])('of every %i layers the last is a mixture', (every, layers) => {
  expect(configOf(`moe: { every_n_layers: ${every} }`).moe?.layers).toEqual(layers);
});

it('a transformer has none', () => {
  expect(configOf('model: { architecture: transformer }').moe).toBeNull();
});

it('one width is that of all layers, and a list has one for each', () => {
  expect(configOf('model: { intermediate_size: 64 }').intermediate_size).toEqual([64, 64, 64, 64]);
  expect(configOf('model: { intermediate_size: [64, 32, 16, 48] }').intermediate_size).toEqual([64, 32, 16, 48]);
});

it('an expert has memory for the larger of both capacities', () => {
  const text = 'moe: { capacity_factor: 1.25, eval_capacity_factor: 2 }';
  expect(traceSettingsOf(parseTopology(text, 'run.yaml'), 2)).toEqual({
    batch: 2,
    sequence: 256,
    segments: false,
    taps: false,
    precision: 'f32',
    maxCapacity: (2 * 512) / 8,
    objective: nextToken,
  });
});
