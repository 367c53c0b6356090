/** Orthogonalised matrices, and the update in place that they are made for, on the WebGPU device in both forms of its shaders. */
// @module-tag webgpu
import { afterAll, describe, expect, it } from 'vitest';
import { expectOrthogonal, shapes } from '../orthogonal.ts';
import { inputsOf, onDevice, onReference, relativeError } from '../kit.ts';
import { muonUpdate } from '../muon.ts';
import { openDevice } from './kit.ts';

// A driver on the processor takes many seconds to compile what is made for larger ones with shared memory.
const forms = {
  shared: { device: await openDevice({ isSerial: false }), tested: shapes.filter(([rows]) => rows < 10) },
  serial: { device: await openDevice({ isSerial: true }), tested: shapes },
};
afterAll(async () => {
  for (const { device } of Object.values(forms)) await device.close();
});

describe.each(Object.entries(forms))('%s', (_form, { device, tested }) => {
  it.each(tested)('makes a matrix of %i x %i orthogonal', async (rows, columns) => {
    await expectOrthogonal(device, rows, columns);
  });

  it.each([
    [5, 10],
    [4, 13],
  ])('updates %i x %i as the reference does', async (rows, columns) => {
    const program = muonUpdate(rows, columns);
    const [actual, expected] = [inputsOf(program), inputsOf(program)];
    await onDevice(device)(program, actual, {});
    await onReference(program, expected, {});
    for (const name of ['p', 'm']) expect(relativeError(actual[name], expected[name])).toBeLessThan(1e-6);
  });
});
