/** What a model costs by its traces, against closed formulas and hand counts of the quickstart. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { feedForward as swiglu } from '../../examples/swiglu.ts';
import { castOf } from '../../src/actors/placement/cast.ts';
import { runSpecOf } from '../../src/actors/placement/run_spec.ts';
import { flopsOf } from '../../src/kernels/program.ts';
import { countParameters } from '../../src/models/costs.ts';
import { parseTopology, type Topology } from '../../src/topology/index.ts';
import { denseConfig, modelOf, runStepsOf, tinyConfig, tinySettings, usualSublayers } from './kit.ts';

const configOf = (name: string): Topology => {
  const file = new URL(`../../configs/${name}.yaml`, import.meta.url);
  return parseTopology(readFileSync(file, 'utf8'), `${name}.yaml`);
};
const specOf = (topology: Topology) => runSpecOf({ topology, baseDir: '.', vocabulary: 256 });
const quickstart = await specOf(configOf('quickstart'));
const dense = await specOf(configOf('quickstart-dense'));
const flops = (runSpec: typeof dense): number => castOf(runSpec).reduce((sum, entry) => sum + entry.flops, 0);

it('the parameters of the quickstart are counted part by part', () => {
  expect(countParameters(quickstart.model, quickstart.config)).toEqual({
    embedding: 256 * 128,
    mixers: 4 * 4 * 128 * 128,
    denseFfn: 2 * 2 * 128 * 512,
    router: 2 * 128 * 8,
    experts: 2 * 8 * 2 * 128 * 512,
    norms: 9 * 128,
    head: 128 * 256,
    total: 2_690_176,
    active: 855_168,
  });
});

it('the parameters of the dense twin are the active ones of the quickstart without its routers', () => {
  const { total, active } = countParameters(dense.model, dense.config);
  const sparse = countParameters(quickstart.model, quickstart.config);
  expect([total, active]).toEqual([853_120, 853_120]);
  expect(sparse.active - sparse.router).toBe(total);
});

it('a parameter that is used twice is counted once', () => {
  const config = { ...tinyConfig, tie_word_embeddings: true };
  const [tied, untied] = [countParameters(modelOf(config), config), countParameters(modelOf(), tinyConfig)];
  expect(tied).toEqual({ ...untied, head: 0, total: untied.total - 8 * 11, active: untied.active - 8 * 11 });
});

it('layers of different widths count each its own', () => {
  const config = { ...tinyConfig, intermediate_size: [4, 8, 12, 20] };
  const { denseFfn, experts } = countParameters(modelOf(config), config);
  expect({ denseFfn, experts }).toEqual({ denseFfn: 2 * 8 * (4 + 12), experts: 3 * 2 * 8 * (8 + 20) });
});

it('the FLOPs of a token through the quickstart are those of its dense twin', () => {
  // 3 * (2 * (262,144 + 524,288) + 4 layers * 4 * 256 * 128 + 2 * 32,768)
  expect([flops(quickstart), flops(dense)]).toEqual([4096 * 6_488_064, 4096 * 6_488_064]);
});

it('a network with a gate has a matrix more, dense or expert', () => {
  const config = { ...tinyConfig, is_gated_act: true };
  const { denseFfn, experts } = countParameters(modelOf(config), config);
  expect({ denseFfn, experts }).toEqual({ denseFfn: 2 * 3 * 8 * 12, experts: 2 * 3 * 3 * 8 * 12 });
});

it.each([
  ['ReLU', usualSublayers, 2],
  ['gated', { ...usualSublayers, feedForward: swiglu }, 3],
] as const)('a %s network of somebody costs its matrices', (_name, sublayers, matrices) => {
  const [block] = runStepsOf(modelOf(denseConfig, tinySettings, sublayers)).slice(1);
  const [D, F, T] = [8, 12, 6];
  // Attention without biases, its scores in full.
  const perToken = 2 * (4 * D * D + matrices * D * F) + 4 * T * D;
  expect(flopsOf(block.program)).toBe(12 * perToken);
});
