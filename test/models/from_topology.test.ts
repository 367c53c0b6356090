/** From the sections of a topology file to the config of a model. */
import { expect, it } from 'vitest';
import { typeOf } from '../../src/kernels/program.ts';
import { buildModel } from '../../src/models/families/index.ts';
import { mixturesOf } from '../../src/models/model.ts';
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
  const topology = parseTopology(text, 'run.yaml');
  const config = modelConfigOf(topology, 300);
  const [mixture] = mixturesOf(buildModel({ config, settings: traceSettingsOf(topology, 2) }));
  expect(typeOf(mixture.programs.expert, 'rows_SD').shape[0]).toEqual({ name: 'rows', max: (2 * 512) / 8 });
});
