/** The time that a step of a plan computes at least, and where it is printed. */
import { describe, expect, test } from 'vitest';
import { planJson } from '../../src/cli/plan_json.ts';
import { planLines } from '../../src/cli/plan_tables.ts';
import { estimateAt, estimateStep } from '../../src/cli/step_estimate.ts';
import { planOf, two } from './planned.ts';

describe('the time that a step computes', () => {
  test('is that of the busiest worker, at the speed of a thread', async () => {
    const plan = await planOf(two);
    const estimate = estimateAt(plan, 100, 2);
    const [{ flops }] = plan.workers;
    expect(estimate).toEqual({ seconds: flops / 100e9, gflops: 100, of: { worker: 'node-0.worker-0', flops } });
    const lines = planLines(plan, estimate);
    expect(lines).toContain(
      'A step computes for 0.13 s at least: 13.29 GFLOP of node-0.worker-0, at 100 GFLOP/s a thread.',
    );
    expect(lines.findIndex((line) => line.startsWith('A step'))).toBeLessThan(lines.length - 2);
    expect(JSON.parse(planJson(plan, estimate))).toMatchObject({
      estimated_compute: { seconds: flops / 100e9, gflops_per_thread: 100 },
    });
  });

  test('is that of all workers, where these are more than the cores', async () => {
    const plan = await planOf(two);
    const flops = plan.workers.reduce((sum, worker) => sum + worker.flops, 0);
    expect(estimateAt(plan, 100, 1)).toEqual({ seconds: flops / 100e9, gflops: 100, of: { cores: 1, flops } });
  });

  test('is not known where a worker is on a GPU, and then not said', async () => {
    const plan = await planOf(two.replace('workers_per_node: 2', 'workers_per_node: 2, device: [[cpu, webgpu]]'));
    expect(await estimateStep(plan)).toBeNull();
    expect(planLines(plan).filter((line) => line.startsWith('A step'))).toEqual([]);
    expect(JSON.parse(planJson(plan))).toHaveProperty('estimated_compute', null);
  });
});
