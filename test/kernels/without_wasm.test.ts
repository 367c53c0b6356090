/** The CPU device where WebAssembly has no SIMD or no threads: all is run by onnxruntime and the plain references. */
import { afterAll, describe, expect, it } from 'vitest';
import { CpuDevice, dynamic, vjp } from '../../src/kernels/index.ts';
import { planned } from '../../src/kernels/cpu/planned.ts';
import { cases } from './cases.ts';
import { forwardAndBackward, inputsOf, onDevice, onReference, relativeError } from './kit.ts';

const device = new CpuDevice({ bytes: 2 ** 29, wasm: false });
afterAll(() => device.close());

it('is in a numerics class of its own', () => {
  expect(new CpuDevice({ bytes: 2 ** 16, wasm: true }).numericsClass).toBe(`${device.numericsClass}+wasm`);
});

describe.each(cases)('$name', ({ rows: kind, build, fill }) => {
  it('agrees with its reference, forward and gradient, without generated code', async () => {
    const rows = 5;
    const v = vjp(build(kind === 'dynamic' ? dynamic('rows', 20) : rows));
    const kinds = [v.forward, v.backward].flatMap((program) => planned(program, false).segments.map((s) => s.kind));
    expect(kinds).not.toContain('wasm');
    const inputs = inputsOf(v.forward, fill);
    const actual = await forwardAndBackward(onDevice(device), v, inputs, { rows });
    const expected = await forwardAndBackward(onReference, v, inputs, { rows });
    for (const { name } of [...v.forward.outputs, ...v.backward.outputs]) {
      expect(relativeError(actual[name], expected[name]), name).toBeLessThan(3e-6);
    }
  });
});
