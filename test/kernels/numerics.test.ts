/** The proof of a numerics class: what it is made of, and that measuring leaves the device as it was. */
import { expect, test } from 'vitest';
import { CpuDevice } from '../../src/kernels/index.ts';
import { measureNumerics, numericsBytes, numericsClass } from '../../src/kernels/numerics.ts';

test("a device's numerics are its own name and the hash of what it computes", async () => {
  const device = new CpuDevice({ bytes: numericsBytes });
  const numerics = await measureNumerics(device);
  expect(numerics).toEqual({
    device: device.numericsClass,
    classHash: expect.stringMatching(/^[0-9a-f]{16}$/) as unknown,
  });
  expect(numericsClass(numerics)).toBe(`${device.numericsClass}#${numerics.classHash}`);
  expect(await measureNumerics(device)).toEqual(numerics);
  await device.close();
});
