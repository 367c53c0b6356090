/** Compiling while the device works: it has its turn after the run, and does not take the run's scratch away. */
import { afterAll, expect, it, vi } from 'vitest';
import { CpuDevice, attention, f32, i32, linearCrossEntropy, trace, weight } from '../../src/kernels/index.ts';
import { bytesOf, inputsOf, onDevice, onReference, relativeError } from './kit.ts';

const device = new CpuDevice({ bytes: 2 ** 26 });
afterAll(() => device.close());

const losses = trace('losses', { x: f32([64, 16]), w: weight([32, 16]), targets: i32([64]) }, ({ x, w, targets }) => ({
  losses_R: linearCrossEntropy(x, w, targets),
}));

/** A program that needs more scratch than all others here. */
const heads = f32([1, 2, 1024, 16]);
const large = trace('large', { q: heads, k: heads, v: heads }, ({ q, k, v }) => ({
  o: attention({ q, k, v }, { causal: true }),
}));

it('a program compiled in the middle of a run leaves the scratch of the run as it is', async () => {
  const inputs = inputsOf(losses, { targets: (i) => i % 32 });
  const quiet = await onDevice(device)(losses, inputs, {});
  // The last op reads what those before it left in scratch; it runs on the host, so that it can be met.
  const last = losses.nodes[losses.nodes.length - 1];
  const whole = last.reference.bind(last);
  const compiling: Promise<unknown>[] = [];
  const meeting = vi.spyOn(last, 'reference').mockImplementation((ins, outs) => {
    compiling.push(device.compile(large));
    whole(ins, outs);
  });
  const disturbed = await onDevice(device)(losses, inputs, {});
  meeting.mockRestore();
  await Promise.all(compiling);
  expect(compiling).toHaveLength(1);
  expect(bytesOf(disturbed.losses_R)).toEqual(bytesOf(quiet.losses_R));
  expect(relativeError(disturbed.losses_R, (await onReference(losses, inputs, {})).losses_R)).toBeLessThan(1e-5);
});
