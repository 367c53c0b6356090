/** Layers by pattern: what each is made of, what its parameters are called, and that no token sees a later one. */
import { describe, expect, it } from 'vitest';
import type { Data } from '../../src/kernels/dtype.ts';
import type { ModelConfig } from '../../src/models/config.ts';
import { batchStreams, lastRowsOf, layersOf, mixturesOf, type Model } from '../../src/models/model.ts';
import { forward, type Values } from './forward.ts';
import { modelOf, parametersOf, tinyConfig, tinyMoe, tinySettings, valuesOf } from './kit.ts';

const [B, T] = [tinySettings.batch, tinySettings.sequence];

const patternOf = (layers: readonly string[]): ModelConfig => ({
  ...tinyConfig,
  family: 'moe_mamba',
  num_hidden_layers: layers.length,
  intermediate_size: layers.map(() => 12),
  layers,
  moe: { ...tinyMoe, top_k: 1, overflow: 'dropless', layers: [...layers.keys()] },
});

const namesOf = (model: Model): string[] =>
  parametersOf(model, 1)
    .map(({ name }) => name)
    .filter((name) => name.startsWith('backbone.layers.0.'))
    .map((name) => name.slice('backbone.layers.0.'.length));

const core = ['conv1d.weight', 'conv1d.bias', 'x_proj.weight', 'dt_proj.weight', 'dt_proj.bias', 'A_log', 'D'];
const mambaNames = ['in_proj.weight', ...core, 'out_proj.weight'].map((name) => `mixer.${name}`);
const norm = ['norm.weight', 'norm.bias'];
const experts = ['moe.router.weight', 'moe.experts.0.wi.weight', 'moe.experts.0.wo.weight'];
const attention = ['q', 'k', 'v', 'o'].map((name) => `self_attn.${name}_proj.weight`);

const kinds: readonly (readonly [layer: string, mixtures: number, names: readonly string[]])[] = [
  ['mamba', 0, [...norm, ...mambaNames]],
  ['attention', 0, [...norm, ...attention]],
  ['mlp', 0, [...norm, 'mlp.wi.weight', 'mlp.wo.weight']],
  ['moe', 1, [...norm, ...experts]],
  ['mamba+moe', 1, ['moe_norm.weight', 'moe_norm.bias', ...norm, ...mambaNames, ...experts]],
  ['attention+mlp', 0, [...norm, ...attention, 'mlp_norm.weight', 'mlp_norm.bias', 'mlp.wi.weight', 'mlp.wo.weight']],
  [
    'mamba(conv)',
    1,
    [
      ...norm,
      'mixer.gate_proj.weight',
      ...[...core, 'out_proj.weight'].map((name) => `mixer.${name}`),
      'conv_proj.router.weight',
      'conv_proj.experts.0.weight',
    ],
  ],
  [
    'mamba(conv gate out)',
    3,
    [
      ...norm,
      ...core.map((name) => `mixer.${name}`),
      ...['conv', 'gate', 'out'].flatMap((part) => [`${part}_proj.router.weight`, `${part}_proj.experts.0.weight`]),
    ],
  ],
];

const tokens = Int32Array.from({ length: B * T }, (_, i) => (i * 7) % 11);

/** Rows behind the last layer. */
function rowsOf(model: Model, values: Values, read: Int32Array, begins?: Int32Array): Data {
  const batch = {
    [batchStreams.tokens]: read,
    [batchStreams.targets]: new Int32Array(B * T).fill(-1),
    ...(begins === undefined ? {} : { [batchStreams.begins]: begins }),
  };
  return forward(model, values, batch)[lastRowsOf(model)];
}

/** Which rows differ. */
const differing = (a: Data, b: Data): boolean[] =>
  Array.from({ length: B * T }, (_, r) => a.subarray(r * 8, (r + 1) * 8).some((x, i) => x !== b[r * 8 + i]));

describe.each(kinds)('a layer that is %s', (layer, mixtures, names) => {
  const model = modelOf(patternOf([layer]));
  const values = valuesOf(parametersOf(model, 3), 5);

  it('has its mixtures and its parameters', () => {
    expect(mixturesOf(model)).toHaveLength(mixtures);
    expect(new Set(mixturesOf(model).map(({ name }) => name)).size).toBe(mixtures);
    expect(namesOf(model).toSorted()).toEqual(names.toSorted());
  });

  it('lets a token see none that is later, nor another sequence', () => {
    const changed = tokens.with(3, 9);
    const isMixed = /attention|mamba/.test(layer);
    expect(differing(rowsOf(model, values, tokens), rowsOf(model, values, changed))).toEqual(
      Array.from({ length: B * T }, (_, r) => r === 3 || (isMixed && r > 3 && r < T)),
    );
  });
});

it('a pattern has its layers in order, and shares programs among those of one kind', () => {
  const model = modelOf(patternOf(['mamba', 'moe', 'mamba', 'moe']));
  const [, first, second, third, fourth] = layersOf(model);
  expect(first.steps[0]).toMatchObject({ kind: 'run', program: { name: 'mixer_block' } });
  expect(third.steps[0]).toHaveProperty('program', first.steps[0].kind === 'run' ? first.steps[0].program : null);
  expect([second, fourth].map(({ mixtures }) => mixtures.map(({ id }) => id))).toEqual([
    ['backbone.layers.1.moe'],
    ['backbone.layers.3.moe'],
  ]);
});

it('a word that no layer is made of is refused', () => {
  expect(() => modelOf(patternOf(['conv']))).toThrow(
    'a layer cannot have "conv"; attention, mlp, mamba, moe are known',
  );
});

it('of samples that lie one behind the other none sees an earlier one', () => {
  const config = patternOf(['mamba', 'attention+mlp', 'mamba(conv)', 'mamba+moe']);
  const model = modelOf(config, { ...tinySettings, segments: true });
  const values = valuesOf(parametersOf(model, 3), 5);
  const begins = Int32Array.from({ length: B * T }, (_, r) => (r % T < 4 ? 0 : 4));
  const changed = rowsOf(model, values, tokens.with(2, 9), begins);
  expect(differing(rowsOf(model, values, tokens, begins), changed)).toEqual(
    Array.from({ length: B * T }, (_, r) => r === 2 || r === 3),
  );
});
