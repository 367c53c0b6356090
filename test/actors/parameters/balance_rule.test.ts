/** Biases that balance experts move by the sign of what is short, whatever the number of experts. */
import { afterAll, expect, it } from 'vitest';
import { balanceRule } from '../../../src/actors/parameters/balance_rule.ts';
import { CpuDevice } from '../../../src/kernels/cpu/device.ts';
import { floats } from '../../../src/kernels/dtype.ts';

const device = new CpuDevice({ bytes: 2 ** 22 });
afterAll(() => device.close());

async function moved(loads: readonly number[]): Promise<number[]> {
  const E = loads.length;
  const program = balanceRule(1).program([E], false);
  const slice = device.slice(`biases of ${loads.join()}`, 2 ** 12);
  const [parameters, gradient, hyper] = ([E, E, 2] as const).map((n, i) => slice.tensor(`${i}`, 'f32', [n]));
  device.write(parameters, new Float32Array(E));
  device.write(gradient, Float32Array.from(loads));
  device.write(hyper, Float32Array.of(1, 1e-20));
  await (await device.compile(program)).run({ parameters, gradient, hyper });
  return [...floats('biases', await device.read(parameters))];
}

it.each([
  [
    [1, 3],
    [1, -1],
  ],
  [
    [5, 5, 5],
    [0, 0, 0],
  ],
  // A seventh of 700 is 100, and no product with a float32 of 1/7 is.
  [
    [100, 99, 101, 100, 100, 100, 100],
    [0, 1, -1, 0, 0, 0, 0],
  ],
  [
    [0, 3, 3, 2],
    [1.25, -0.75, -0.75, 0.25],
  ],
])('loads %j move them by %j', async (loads, steps) => {
  expect(await moved(loads)).toEqual(steps);
});
