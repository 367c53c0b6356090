/** The cast of a run: what its actors cost, from their programs. */
import { expect, test } from 'vitest';
import { castOf, flopsByRole } from '../../../src/actors/placement/cast.ts';
import { runSpecOf } from '../../../src/actors/placement/run_spec.ts';
import { parseTopology, type Topology } from '../../../src/topology/index.ts';

const rolesOf = async (topology: Topology): Promise<Map<string, number>> =>
  flopsByRole(castOf(await runSpecOf({ topology, baseDir: '.', vocabulary: 256 })));

test('the FLOPs of a stage are those of its layers, and the head belongs to the last', async () => {
  const topology = parseTopology('parallelism: { pipeline_parallel: 3 }', 'run.yaml');
  const roles = await rolesOf(topology);
  const [attention, ffn, scores] = [2 * 65_536, 2 * 131_072, 4 * 256 * 128];
  expect(roles.get('stage-p0-d0')).toBe(3 * 4096 * (2 * (attention + scores) + ffn));
  expect(roles.get('stage-p1-d0')).toBe(3 * 4096 * (attention + scores + ffn));
  expect(roles.get('stage-p2-d0')).toBe(3 * 4096 * (attention + scores + 2 * 32_768));
  expect(roles.get('experts-l1-g0')).toBe(3 * 4096 * ffn);
});

test('the FLOPs of all roles sum to those of the step, however the model is divided', async () => {
  for (const text of ['pipeline_parallel: 1', 'pipeline_parallel: 3, data_parallel: 2', 'expert_parallel: 4']) {
    const topology = parseTopology(`parallelism: { ${text} }`, 'run.yaml');
    const roles = await rolesOf(topology);
    expect([...roles.values()].reduce((sum, flops) => sum + flops, 0)).toBe(4096 * 6_488_064);
  }
});
