/** The plan's arithmetic against hand counts of the quickstart and published figures of known models. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  attentionCost,
  countParameters,
  expertCapacity,
  feedForwardCost,
  flopsPerToken,
  type ModelSizes,
  parseTopology,
  modelSizesOf,
} from '../../src/topology/index.ts';

const configOf = (name: string) => {
  const file = new URL(`../../configs/${name}.yaml`, import.meta.url);
  return parseTopology(readFileSync(file, 'utf8'), `${name}.yaml`);
};
const quickstart = configOf('quickstart');
const dense = configOf('quickstart-dense');
const sizes = modelSizesOf(quickstart, 256);

/** Sizes of Mixtral 8x7B, of which the totals are published. */
const mixtral: ModelSizes = {
  layers: 32,
  hidden: 4096,
  vocabulary: 32000,
  mixer: attentionCost({ hidden: 4096, heads: 32, keyValueHeads: 8, headDim: 128 }, 4096),
  feedForward: feedForwardCost(4096, 14336, 3),
  moeLayers: Array.from({ length: 32 }, (_, layer) => layer),
  experts: 8,
  topK: 2,
};

/** Nemotron-4 340B: dense, squared ReLU, sequences of 4,096. */
const nemotron: ModelSizes = {
  layers: 96,
  hidden: 18432,
  vocabulary: 256000,
  mixer: attentionCost({ hidden: 18432, heads: 96, keyValueHeads: 8, headDim: 192 }, 4096),
  feedForward: feedForwardCost(18432, 73728, 2),
  moeLayers: [],
  experts: 0,
  topK: 0,
};

describe('parameters', () => {
  test('of the quickstart are counted part by part', () => {
    expect(countParameters(sizes)).toEqual({
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

  test('of Mixtral 8x7B are the published totals', () => {
    const { total, active } = countParameters(mixtral);
    expect(total).toBe(46_702_792_704);
    expect(active).toBe(12_879_925_248);
  });

  test('of the dense twin are the active ones of the quickstart without its routers', () => {
    const { total, active } = countParameters(modelSizesOf(dense, 256));
    expect(total).toBe(853_120);
    expect(active).toBe(total);
    expect(countParameters(sizes).active - countParameters(sizes).router).toBe(total);
  });
});

describe('FLOPs', () => {
  test('of the quickstart are those of its dense twin', () => {
    // 3 * (2 * (262,144 + 524,288) + 4 layers * 4 * 256 * 128 + 2 * 32,768)
    expect(flopsPerToken(sizes)).toBe(6_488_064);
    expect(flopsPerToken(modelSizesOf(dense, 256))).toBe(6_488_064);
  });

  test('of a 4,096-token sequence through Nemotron-4 340B are 8.62e15', () => {
    expect((4096 * flopsPerToken(nemotron)) / 1e15).toBeCloseTo(8.62, 2);
  });
});

test('capacity is the fair share times the factor, rounded up, within the least and all tokens', () => {
  expect(expertCapacity(2048, 1, 8, 1.25, 4)).toBe(320);
  expect(expertCapacity(100, 1, 8, 1.25, 4)).toBe(16);
  expect(expertCapacity(8, 1, 8, 1.25, 4)).toBe(4);
  expect(expertCapacity(3, 1, 8, 1.25, 4)).toBe(3);
  expect(expertCapacity(1000, 2, 4, 1.1, 4)).toBe(550);
});
