/** Products in less than fp32: the same operands on every device, and sums that stay fp32. */
import { afterAll, expect, it } from 'vitest';
import { CpuDevice, f32, matmul, trace, vjp, weight } from '../../src/kernels/index.ts';
import type { Precision } from '../../src/kernels/precision.ts';
import { forwardAndBackward, inputsOf, onDevice, onReference, relativeError } from './kit.ts';
import { openDevice } from './webgpu/kit.ts';

const devices = {
  cpu: new CpuDevice({ bytes: 2 ** 24 }),
  'webgpu, shared memory': await openDevice({ isSerial: false }),
  'webgpu, no barriers': await openDevice({ isSerial: true }),
};
afterAll(async () => {
  for (const device of Object.values(devices)) await device.close();
});

const layer = (precision: Precision) =>
  vjp(
    trace(`layer in ${precision}`, { x: f32([20, 32]), w: weight([32, 48]) }, ({ x, w }) => ({ y: matmul(x, w) }), {
      precision,
    }),
  );

for (const [name, device] of Object.entries(devices))
  it(`${name} rounds operands as the reference does`, { tags: name === 'cpu' ? [] : ['webgpu'] }, async () => {
    for (const precision of ['f16', 'bf16'] as const) {
      const v = layer(precision);
      const inputs = inputsOf(v.forward);
      const actual = await forwardAndBackward(onDevice(device), v, inputs, {});
      const expected = await forwardAndBackward(onReference, v, inputs, {});
      for (const { name } of [...v.forward.outputs, ...v.backward.outputs]) {
        expect(relativeError(actual[name], expected[name]), `${precision} ${name}`).toBeLessThan(3e-6);
      }
    }
  });

it('keeps f16 within a hundredth of f32, bf16 within three, and what is f32 as it is', async () => {
  const full = layer('f32');
  const inputs = inputsOf(full.forward);
  const expected = await forwardAndBackward(onReference, full, inputs, {});
  for (const [precision, most] of [
    ['f16', 1e-2],
    ['bf16', 3e-2],
  ] as const) {
    const found = await forwardAndBackward(onReference, layer(precision), inputs, {});
    expect(relativeError(found.y, expected.y)).toBeLessThan(most);
    expect(relativeError(found.y, expected.y)).toBeGreaterThan(1e-6);
    expect(relativeError(found.d_w, expected.d_w)).toBeLessThan(most);
  }
});

it('leaves a product alone that names f32 itself', async () => {
  const scores = (precision: Precision, own?: Precision) =>
    trace(
      'scores',
      { x: f32([4, 16]), router: f32([16, 8]) },
      ({ x, router }) => ({ y: matmul(x, router, own === undefined ? {} : { precision: own }) }),
      { precision },
    );
  const inputs = inputsOf(scores('f32'));
  const full = await onReference(scores('f32'), inputs, {});
  expect([...(await onReference(scores('f16', 'f32'), inputs, {})).y]).toEqual([...full.y]);
  expect([...(await onReference(scores('f16'), inputs, {})).y]).not.toEqual([...full.y]);
});

it('becomes infinite beyond what f16 holds, which a scale has to prevent', { tags: ['webgpu'] }, async () => {
  const program = trace('large', { a: f32([2, 4]), b: f32([4, 4]) }, ({ a, b }) => ({ y: matmul(a, b) }), {
    precision: 'f16',
  });
  const inputs = { a: new Float32Array(8).fill(65_520), b: new Float32Array(16).fill(1) };
  for (const [name, device] of Object.entries(devices)) {
    expect([...(await onDevice(device)(program, inputs, {})).y], name).toEqual(new Array(8).fill(Infinity));
  }
});
