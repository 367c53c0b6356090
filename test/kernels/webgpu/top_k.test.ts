/** `topK` on the WebGPU device chooses what sorting chooses, in all forms of its shaders. */
// @module-tag webgpu
import { afterAll, expect, it } from 'vitest';
import { onDevice } from '../kit.ts';
import { runTopK, topKCases } from '../top_k.ts';
import { openDevice } from './kit.ts';

const devices = {
  shared: await openDevice({ isSerial: false }),
  serial: await openDevice({ isSerial: true }),
  bare: await openDevice({ isSerial: false, isBare: true }),
};
afterAll(async () => {
  for (const device of Object.values(devices)) await device.close();
});

it.each(topKCases)('takes $count of $width as sorting does, of $keep of $groups groups', async (each) => {
  for (const device of Object.values(devices)) {
    const { actual, expected } = await runTopK(onDevice(device), each, 9);
    expect(actual).toEqual(expected);
  }
});
