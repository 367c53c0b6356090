/** Every op on the CPU device against its plain reference, forward and gradient, and against finite differences. */
import { afterAll, describe, expect, it } from 'vitest';
import { CpuDevice, dynamic, vjp } from '../../src/kernels/index.ts';
import { cases } from './cases.ts';
import { forwardAndBackward, inputsOf, onDevice, onReference, relativeError, type Inputs } from './kit.ts';

const device = new CpuDevice({ bytes: 2 ** 29 });
afterAll(() => device.close());

describe.each(cases)('$name', ({ rows: kind, build, fill }) => {
  it.each([0, 1, 2, 3, 17])('agrees with its reference on %i rows, forward and gradient', async (rows) => {
    const v = vjp(build(kind === 'dynamic' ? dynamic('rows', 20) : rows));
    const inputs = inputsOf(v.forward, fill);
    const actual = await forwardAndBackward(onDevice(device), v, inputs, { rows });
    const expected = await forwardAndBackward(onReference, v, inputs, { rows });
    for (const { name } of [...v.forward.outputs, ...v.backward.outputs]) {
      expect(relativeError(actual[name], expected[name]), name).toBeLessThan(3e-6);
    }
  });

  it('has the gradient that finite differences find', async () => {
    const rows = 3;
    const v = vjp(build(kind === 'dynamic' ? dynamic('rows', 3) : rows));
    const program = v.forward;
    const inputs = inputsOf(program, fill);
    const gradients = await forwardAndBackward(onReference, v, inputs, { rows });
    const cotangents = inputsOf(v.backward);
    // Σ cotangent · output, in float64 over the float32 outputs.
    const loss = async (changed: Inputs): Promise<number> => {
      const outputs = await onReference(program, changed, { rows });
      let sum = 0;
      for (const { name } of program.outputs.filter((b) => `d_${b.name}` in cotangents)) {
        outputs[name].forEach((y, i) => (sum += y * cotangents[`d_${name}`][i]));
      }
      return sum;
    };
    const step = 2 ** -7;
    for (const { name: output } of v.backward.outputs) {
      const name = output.slice('d_'.length);
      for (let i = 0; i < inputs[name].length; i += Math.ceil(inputs[name].length / 24)) {
        const at = async (delta: number): Promise<number> => {
          const data = inputs[name].slice();
          data[i] += delta;
          return await loss({ ...inputs, [name]: data });
        };
        const found = ((await at(step)) - (await at(-step))) / (2 * step);
        // Rounding gives about 1e-4 (float32 outputs over a step of 2⁻⁷), the third derivative about as much.
        expect(Math.abs(gradients[output][i] - found), `${output}[${i}]`).toBeLessThan(
          2e-3 * Math.max(1, Math.abs(found)),
        );
      }
    }
  });
});
