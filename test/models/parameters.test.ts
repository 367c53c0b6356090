/** Parameters: as many as the plan counts, under Hugging Face names, beginning as the paper says wherever they live. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { countParameters } from '../../src/models/costs.ts';
import { modelConfigOf, traceSettingsOf } from '../../src/models/from_topology.ts';
import type { Model } from '../../src/models/model.ts';
import { initialValues, matrix, scale, type Parameter } from '../../src/models/parameter.ts';
import { elements } from '../../src/kernels/shape.ts';
import { parseTopology, type Topology } from '../../src/topology/index.ts';
import { modelOf, parametersOf } from './kit.ts';

function topologyOf(file: string, settings: Readonly<Record<string, unknown>> = {}): Topology {
  const text = readFileSync(new URL(`../../configs/${file}`, import.meta.url), 'utf8');
  const overrides = Object.entries(settings).map(([key, value]) => ({ path: key.split('.'), value, source: key }));
  return parseTopology(text, file, overrides);
}

const modelFor = (topology: Topology, vocabulary: number): Model =>
  modelOf(modelConfigOf(topology, vocabulary), { ...traceSettingsOf(topology, 2), sequence: 8 });

const built = (topology: Topology, vocabulary: number): Parameter[] =>
  parametersOf(modelFor(topology, vocabulary), topology.moe?.num_experts ?? 0);

const total = (parameters: readonly Parameter[]): number =>
  parameters.reduce((sum, { shape }) => sum + elements(shape), 0);

describe('the parameters of a model', () => {
  it.each([
    ['quickstart.yaml', {}, 256, 2_690_176],
    ['quickstart-dense.yaml', {}, 256, 853_120],
    ['quickstart.yaml', { 'moe.every_n_layers': 1, 'moe.num_experts': 4 }, 1000, 2_618_496],
    ['quickstart.yaml', { 'moe.every_n_layers': 3, 'moe.top_k': 2, 'model.num_hidden_layers': 7 }, 256, null],
    ['quickstart.yaml', { 'model.tie_word_embeddings': true }, 256, 2_690_176 - 256 * 128],
    ['quickstart.yaml', { 'model.hidden_size': 64, 'model.intermediate_size': 208 }, 300, null],
  ])('of %s with %j are as many as the plan says', (file, settings, vocabulary, expected) => {
    const topology = topologyOf(file, settings);
    const planned = countParameters(modelFor(topology, vocabulary), modelConfigOf(topology, vocabulary)).total;
    expect(total(built(topology, vocabulary))).toBe(planned);
    if (expected !== null) expect(planned).toBe(expected);
  });

  it('have each a name of its own, as Hugging Face has it', () => {
    const names = built(topologyOf('quickstart.yaml'), 256).map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(names.filter((name) => !name.includes('layers'))).toEqual([
      'model.embed_tokens.weight',
      'model.norm.weight',
      'lm_head.weight',
    ]);
    expect(names.filter((name) => name.startsWith('model.layers.1.')).sort()).toEqual(
      [
        'input_layernorm',
        'self_attn.q_proj',
        'self_attn.k_proj',
        'self_attn.v_proj',
        'self_attn.o_proj',
        'post_attention_layernorm',
        'mlp.router',
        ...[0, 1, 2, 3, 4, 5, 6, 7].flatMap((e) => [`mlp.experts.${e}.up_proj`, `mlp.experts.${e}.down_proj`]),
      ]
        .map((name) => `model.layers.1.${name}.weight`)
        .sort(),
    );
  });

  it('decay unless they scale a norm', () => {
    const parameters = built(topologyOf('quickstart.yaml'), 256);
    for (const { name, shape, decays } of parameters) expect([name, decays]).toEqual([name, shape.length === 2]);
    expect(parameters.filter(({ decays }) => !decays)).toHaveLength(9);
  });

  it('are hidden where they are matrices, but for those of tokens and experts to choose', () => {
    const parameters = built(topologyOf('quickstart.yaml'), 256);
    const others = parameters.filter(({ shape, isHidden }) => shape.length === 2 && !isHidden).map(({ name }) => name);
    const routers = [1, 3].map((layer) => `model.layers.${layer}.mlp.router.weight`);
    expect(others.sort()).toEqual(['lm_head.weight', 'model.embed_tokens.weight', ...routers]);
    expect(parameters.filter(({ shape, isHidden }) => shape.length === 1 && isHidden)).toEqual([]);
  });
});

describe('initial values', () => {
  const inputs = 200;
  const std = Math.sqrt(0.1 / inputs);
  const values = initialValues(matrix('a', 1000, inputs), 7);

  it('of a matrix are a normal distribution of variance 0.1 / inputs, cut at two deviations', () => {
    const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
    const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length;
    // A normal cut at ±2σ and not rescaled has 0.8796 σ.
    expect(Math.sqrt(variance) / std / 0.8796).toBeCloseTo(1, 2);
    expect(mean / std).toBeCloseTo(0, 2);
    const largest = values.reduce((most, x) => Math.max(most, Math.abs(x)), 0) / std;
    expect(largest).toBeLessThanOrEqual(2);
    expect(largest).toBeGreaterThan(1.99);
    // Within one deviation: (Φ(1) − Φ(−1)) / (Φ(2) − Φ(−2)) = 0.7152.
    const within = values.reduce((n, x) => n + Number(Math.abs(x) < std), 0) / values.length;
    expect(within).toBeCloseTo(0.7152, 2);
  });

  it('of a norm are ones', () => {
    expect([...initialValues(scale('n', 5), 7)]).toEqual([1, 1, 1, 1, 1]);
  });

  it('depend on seed, name and element, and on nothing else', () => {
    const order = ['b', 'a', 'c'].map((name) => [name, initialValues(matrix(name, 10, inputs), 7)] as const);
    expect(Object.fromEntries(order).a).toEqual(values.slice(0, 10 * inputs));
    expect(initialValues(matrix('a', 1000, inputs), 7)).toEqual(values);
    expect(initialValues(matrix('b', 1000, inputs), 7)).not.toEqual(values);
    expect(initialValues(matrix('a', 1000, inputs), 8)).not.toEqual(values);
  });

  it('of two parameters or two seeds are not correlated', () => {
    const others = [initialValues(matrix('b', 1000, inputs), 7), initialValues(matrix('a', 1000, inputs), 8)];
    for (const other of others) {
      const correlation = values.reduce((sum, x, i) => sum + x * other[i], 0) / values.length / std ** 2;
      expect(Math.abs(correlation)).toBeLessThan(0.01);
    }
  });
});
