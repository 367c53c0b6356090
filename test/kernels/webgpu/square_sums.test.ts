/** Sums of squares on the WebGPU device, in both forms of the shader. */
// @module-tag webgpu
import { afterAll, describe, it } from 'vitest';
import { expectSquareSums, lengths } from '../square_sums.ts';
import { openDevice } from './kit.ts';

const forms = {
  shared: await openDevice({ isSerial: false }),
  serial: await openDevice({ isSerial: true }),
};
afterAll(async () => {
  for (const device of Object.values(forms)) await device.close();
});

describe.each(Object.entries(forms))('%s', (_form, device) => {
  it.each(lengths)('sums the squares of %i elements by parts', async (length) => {
    await expectSquareSums(device, length);
  });
});
