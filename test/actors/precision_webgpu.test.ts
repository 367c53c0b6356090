/** fp16 on the machine's first adapter of WebGPU: what the processor says that it gives. */
// @module-tag webgpu
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { play, smallTopology, type Curve } from './kit.ts';

// Mesa's driver for the processor takes minutes to optimise shaders that run for microseconds.
process.env.GALLIVM_PERF ??= 'nopt';

const root = mkdtempSync(join(tmpdir(), 'troupe-precision-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

async function firstStepOn(device: string): Promise<Curve> {
  const settings = {
    'model.num_hidden_layers': 2,
    'training.precision': 'fp16',
    'training.steps': 1,
    'training.eval_interval': 0,
    'optimizer.warmup_steps': 0,
    'cluster.device': device,
  };
  const { curve } = await play(smallTopology(settings), { directory: mkdtempSync(join(root, 'run-')) });
  return curve[0];
}

it('one step has the loss and the gradient norm of the emulation', async () => {
  const [found, expected] = [await firstStepOn('webgpu:0'), await firstStepOn('cpu')];
  for (const key of ['loss', 'grad_norm'] as const) {
    expect(Math.abs(found[key] / expected[key] - 1), key).toBeLessThan(1e-2);
  }
  expect(found.loss_scale).toBe(65_536);
});
