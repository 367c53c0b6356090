/** What a device finds out by timing is kept with the run: here the machine's first adapter is made to time its forms. */
// @module-tag webgpu
import { join } from 'node:path';
import { afterAll, expect, it, vi } from 'vitest';
import { WebGpuDevice } from '../../src/kernels/webgpu/device.ts';
import { TuningFile } from '../../src/kernels/webgpu/tuning_file.ts';
import { eventsOf, RunFolder } from './run_kit.ts';

// Mesa's driver for the processor takes minutes to optimise shaders that run for microseconds.
process.env.GALLIVM_PERF ??= 'nopt';

const folder = new RunFolder();
afterAll(() => folder[Symbol.dispose]());

const settings = {
  'training.steps': 1,
  'training.eval_interval': 0,
  'checkpoint.interval': 1,
  'optimizer.warmup_steps': 0,
};

/** Has every device time its forms, and keep them in `file`. */
function tuneInto(file: TuningFile): void {
  const open = WebGpuDevice.open.bind(WebGpuDevice);
  vi.spyOn(WebGpuDevice, 'open').mockImplementation((wanted, options) =>
    open(wanted, { ...options, autotune: true, tuning: file }),
  );
}

it('has an event for each worker that timed anything, with its adapter and the forms that its programs take', async () => {
  const file = new TuningFile(join(folder.path, 'tuning.json'));
  tuneInto(file);
  const { runDir } = await folder.play({ ...settings, 'cluster.device': 'webgpu:0' });
  const [{ adapter }] = eventsOf(runDir, 'device');
  const tuned = eventsOf(runDir, 'tuned');
  expect(tuned).toEqual([
    {
      node: 'node-0',
      worker: 'node-0',
      adapter,
      numericsClass: expect.stringMatching(/^webgpu\//) as unknown,
      choices: expect.any(Object) as unknown,
    },
  ]);
  const { numericsClass, choices } = tuned[0] as { numericsClass: string; choices: Record<string, string> };
  expect(Object.keys(choices).length).toBeGreaterThan(3);
  for (const key of Object.keys(choices)) expect(key).toMatch(/ (NN|NT|TN) \[.+\] f32$/);
  expect(file.choices(numericsClass)).toMatchObject(choices);
}, 180_000);

it('has none of the processor, which times nothing', async () => {
  const { runDir } = await folder.play({ ...settings, 'cluster.device': 'cpu' });
  expect(eventsOf(runDir, 'device')).toHaveLength(1);
  expect(eventsOf(runDir, 'tuned')).toEqual([]);
});
