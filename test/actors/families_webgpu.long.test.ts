/** Each family on the machine's first adapter of WebGPU: a step from the same values has nearly the loss and gradient of the processor. */
// @module-tag webgpu
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { families } from './families.ts';
import { play, type Curve } from './kit.ts';

// Mesa's driver for the processor takes minutes to optimise shaders that run for microseconds.
process.env.GALLIVM_PERF ??= 'nopt';

/** For a driver that compiles on a busy processor, and keeps nothing on the disk. */
const compileMs = 180_000;

const root = mkdtempSync(join(tmpdir(), 'troupe-families-webgpu-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

async function firstStepOn(device: string, topology: (typeof families)[string]): Promise<Curve> {
  const settings = {
    'model.num_hidden_layers': 2,
    'training.steps': 1,
    'training.eval_interval': 0,
    'optimizer.warmup_steps': 0,
    'cluster.device': device,
  };
  const { curve } = await play(topology(settings), { directory: mkdtempSync(join(root, 'run-')) });
  return curve[0];
}

it.each(Object.entries(families))(
  '%s',
  async (_name, topology) => {
    const [found, expected] = [await firstStepOn('webgpu:0', topology), await firstStepOn('cpu', topology)];
    expect(Math.abs(found.loss / expected.loss - 1)).toBeLessThan(1e-5);
    expect(Math.abs(found.grad_norm / expected.grad_norm - 1)).toBeLessThan(1e-4);
  },
  compileMs,
);
