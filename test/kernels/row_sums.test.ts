/** Sums over rows that become weight gradients: row after row, to the bit, on the device as in the reference. */
import { afterAll, expect, it } from 'vitest';
import { CpuDevice, dynamic, f32, rmsNorm, trace, vjp, weight } from '../../src/kernels/index.ts';
import { bytesOf, forwardAndBackward, inputsOf, onDevice, onReference } from './kit.ts';

const device = new CpuDevice({ bytes: 2 ** 26 });
afterAll(() => device.close());

it.each([1, 2, 5, 64, 333])('adds the gradient of a norm weight in row order over %i rows', async (rows) => {
  const v = vjp(
    trace('norm', { x: f32([dynamic('rows', 333), 48]), w: weight([48]) }, ({ x, w }) => ({ y: rmsNorm(x, w, 1e-6) })),
  );
  const inputs = inputsOf(v.forward);
  // The forward once, on the device: then both backwards see the same statistics.
  const forward = await onDevice(device)(v.forward, inputs, { rows });
  const known = { ...inputs, ...inputsOf(v.backward), ...inputs };
  for (const [name, data] of Object.entries(forward)) if (name in known) known[name].set(data);
  const actual = await onDevice(device)(v.backward, known, { rows });
  const expected = await onReference(v.backward, known, { rows });
  expect(bytesOf(actual.d_w).equals(bytesOf(expected.d_w))).toBe(true);
  expect((await forwardAndBackward(onDevice(device), v, inputs, { rows })).d_w).toEqual(actual.d_w);
});
