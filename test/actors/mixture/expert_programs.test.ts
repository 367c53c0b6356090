/** How the experts of a group are shared out to programs. */
import { expect, it } from 'vitest';
import { batchSizes, ExpertPrograms } from '../../../src/actors/mixture/expert_programs.ts';
import { DryDevice } from '../../../src/kernels/cpu/dry_device.ts';
import { mixturesOf } from '../../../src/models/model.ts';
import { drawn, smallTopology } from '../kit.ts';

it.each([
  [1, [1]],
  [8, [8]],
  [32, [32]],
  [33, [16, 17]],
  [65, [21, 22, 22]],
  [256, Array.from({ length: 8 }, () => 32)],
])('%i experts', (count, sizes) => {
  expect(batchSizes(count)).toEqual(sizes);
});

it('names the runs of a batch by where they are: all in their order, and one by one where somebody has many rows', async () => {
  const { model } = await drawn(smallTopology());
  const programs = await ExpertPrograms.compile(new DryDevice(), mixturesOf(model)[0].programs.expert, {
    count: 33,
    rows: 4,
  });
  const runs = (rows: number) => Array.from({ length: 33 }, () => ({ bindings: {}, rows }));
  const indices = Array.from({ length: 33 }, (_, i) => i);
  expect(programs.batches(runs(4))).toEqual([indices.slice(0, 16), indices.slice(16)]);
  expect(programs.batches(runs(1000))).toEqual(indices.map((i) => [i]));
});
