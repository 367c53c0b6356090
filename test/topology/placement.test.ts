/** Placement: the same roles on the same workers, whoever computes it. */
import { expect, test } from 'vitest';
import { castOf, flopsByRole } from '../../src/actors/placement/cast.ts';
import { runSpecOf } from '../../src/actors/placement/run_spec.ts';
import { parseTopology, place, type Worker } from '../../src/topology/index.ts';

const topology = parseTopology('parallelism: { data_parallel: 2, expert_parallel: 2 }', 'run.yaml');
const runSpec = await runSpecOf({ topology, baseDir: '.', vocabulary: 256 });
const { mesh } = runSpec;
const flops = flopsByRole(castOf(runSpec));

const worker = (node: number, index: number): Worker => ({ node, worker: index });
const written = (workers: readonly Worker[], loads = flops): string[] =>
  [...place(mesh, loads, workers)].map(([role, at]) => `${role}@${at.node}.${at.worker}`);

test('one worker hosts everything', () => {
  expect(new Set(place(mesh, flops, [worker(0, 0)]).values())).toEqual(new Set([worker(0, 0)]));
});

test('stage ranks go round robin and expert groups fill up evenly', () => {
  expect(written([worker(0, 0), worker(1, 0)])).toEqual([
    'stage-p0-d0@0.0',
    'stage-p0-d1@1.0',
    'experts-l1-g0@0.0',
    'experts-l1-g1@1.0',
    'experts-l3-g0@0.0',
    'experts-l3-g1@1.0',
  ]);
});

test('workers without a stage take the experts', () => {
  expect(written([worker(0, 0), worker(0, 1), worker(1, 0), worker(1, 1)])).toEqual([
    'stage-p0-d0@0.0',
    'stage-p0-d1@0.1',
    'experts-l1-g0@1.0',
    'experts-l1-g1@1.1',
    'experts-l3-g0@1.0',
    'experts-l3-g1@1.1',
  ]);
});

test('the order in which workers are given does not matter', () => {
  const workers = [worker(0, 0), worker(0, 1), worker(1, 0)];
  expect(written(workers.toReversed())).toEqual(written(workers));
});

test('a heavier stage makes its worker take fewer expert groups', () => {
  const uneven = new Map([...flops, ['stage-p0-d0', 1e12]]);
  expect(written([worker(0, 0), worker(0, 1)], uneven).filter((line) => line.endsWith('@0.0'))).toEqual([
    'stage-p0-d0@0.0',
  ]);
});

test('no workers and unknown roles are refused', () => {
  expect(() => place(mesh, flops, [])).toThrow('placement needs at least one worker; none joined');
  expect(() => place(mesh, new Map(), [worker(0, 0)])).toThrow('placement of stage-p0-d0: its FLOPs are not given');
});
