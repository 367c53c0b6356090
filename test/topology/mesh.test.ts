/** The logical mesh: which rank holds which layers, which group which experts. */
import { describe, expect, test } from 'vitest';
import { expertsOfGroup, globalMicrobatch, layersOfStage, meshOf, parseTopology } from '../../src/topology/index.ts';

describe('layers of a stage', () => {
  test('are contiguous and as even as can be, the longer stages first', () => {
    expect([0, 1, 2, 3].map((stage) => layersOfStage(10, 4, stage))).toEqual([
      [0, 1, 2],
      [3, 4, 5],
      [6, 7],
      [8, 9],
    ]);
  });

  test('are each layer exactly once, for every size', () => {
    for (let layers = 1; layers <= 12; layers += 1) {
      for (let stages = 1; stages <= layers; stages += 1) {
        const all = Array.from({ length: stages }, (_, stage) => layersOfStage(layers, stages, stage));
        expect(all.flat()).toEqual(Array.from({ length: layers }, (_, layer) => layer));
        expect(Math.min(...all.map((one) => one.length))).toBeGreaterThanOrEqual(1);
      }
    }
  });
});

test('experts of a group are contiguous', () => {
  expect([0, 1, 2, 3].map((group) => expertsOfGroup(8, 4, group))).toEqual([
    [0, 1],
    [2, 3],
    [4, 5],
    [6, 7],
  ]);
});

test('microbatches of all ranks are numbered rank by rank', () => {
  const numbers = [0, 1, 2].flatMap((rank) => [0, 1].map((microbatch) => globalMicrobatch(rank, 2, microbatch)));
  expect(numbers).toEqual([0, 1, 2, 3, 4, 5]);
});

test('a mesh lists its stage ranks pipeline-major and its expert groups by layer', () => {
  const text = 'parallelism: { data_parallel: 2, pipeline_parallel: 2, expert_parallel: 2, micro_batches: 2 }';
  const mixtures = [1, 3].map((layer) => ({ name: `${layer}`, layer, experts: 8 }));
  const mesh = meshOf(parseTopology(text, 'run.yaml'), mixtures);
  expect(mesh.stages).toEqual([
    { role: 'stage-p0-d0', pipelineRank: 0, dataRank: 0, layers: [0, 1], isFirst: true, isLast: false },
    { role: 'stage-p0-d1', pipelineRank: 0, dataRank: 1, layers: [0, 1], isFirst: true, isLast: false },
    { role: 'stage-p1-d0', pipelineRank: 1, dataRank: 0, layers: [2, 3], isFirst: false, isLast: true },
    { role: 'stage-p1-d1', pipelineRank: 1, dataRank: 1, layers: [2, 3], isFirst: false, isLast: true },
  ]);
  expect(mesh.expertGroups).toEqual([
    { role: 'experts-l1-g0', mixture: '1', group: 0, experts: [0, 1, 2, 3] },
    { role: 'experts-l1-g1', mixture: '1', group: 1, experts: [4, 5, 6, 7] },
    { role: 'experts-l3-g0', mixture: '3', group: 0, experts: [0, 1, 2, 3] },
    { role: 'experts-l3-g1', mixture: '3', group: 1, experts: [4, 5, 6, 7] },
  ]);
  expect(mesh.moeLayers).toEqual([1, 3]);
  expect(mesh.globalMicrobatches).toBe(4);
  expect(mesh.microbatchSequences).toBe(4);
});

test('a dense model has one stage rank and no expert groups', () => {
  const mesh = meshOf(parseTopology('model: { architecture: transformer }', 'run.yaml'), []);
  expect(mesh.stages.map((stage) => stage.role)).toEqual(['stage-p0-d0']);
  expect(mesh.expertGroups).toEqual([]);
});
