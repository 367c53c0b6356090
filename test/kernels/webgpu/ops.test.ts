/**
 * Every op on the WebGPU device against its plain reference, forward and gradient, in both forms of its shaders: with
 * workgroups that share memory, and without barriers; the former also as on an adapter that offers no more than it must.
 * Memory that is not live holds NaN.
 */
// @module-tag webgpu
import { afterAll, describe, expect, it } from 'vitest';
import { dynamic, vjp, type Program, type Vjp } from '../../../src/kernels/index.ts';
import { planPasses } from '../../../src/kernels/webgpu/plan.ts';
import { shaderText } from '../../../src/kernels/webgpu/shader.ts';
import { cases, type Case } from '../cases.ts';
import { forwardAndBackward, inputsOf, onDevice, onReference, relativeError } from '../kit.ts';
import { openDevice } from './kit.ts';

/** The programs of a case, of `rows` rows at most. */
const programsOf = ({ rows: kind, build }: Case, rows: number): Vjp =>
  vjp(build(kind === 'dynamic' ? dynamic('rows', 20) : rows));

const shadersOf = (program: Program, isSerial: boolean): string[] =>
  planPasses(program, { isSerial, features: new Set(), subgroupMatrix: null }, { buffers: 8 }).passes.map((pass) =>
    shaderText(pass, []),
  );

/** Has the case shaders that are others without barriers? */
function hasForms(each: Case): boolean {
  const { forward, backward } = programsOf(each, 17);
  const textOf = (isSerial: boolean): string => [forward, backward].flatMap((p) => shadersOf(p, isSerial)).join();
  return textOf(true) !== textOf(false);
}

const forms = {
  shared: { device: await openDevice({ isSerial: false }), tested: cases },
  serial: { device: await openDevice({ isSerial: true }), tested: cases.filter(hasForms) },
  bare: { device: await openDevice({ isSerial: false, isBare: true }), tested: cases },
};
afterAll(async () => {
  for (const { device } of Object.values(forms)) await device.close();
});

describe.each(Object.entries(forms))('%s', (_form, { device, tested }) => {
  it.each(tested)('$name agrees with its reference', async (each) => {
    const { rows: kind, fill } = each;
    for (const rows of kind === 'dynamic' ? [0, 1, 2, 17] : [17]) {
      const v = programsOf(each, rows);
      const inputs = inputsOf(v.forward, fill);
      const actual = await forwardAndBackward(onDevice(device), v, inputs, { rows });
      const expected = await forwardAndBackward(onReference, v, inputs, { rows });
      for (const { name } of [...v.forward.outputs, ...v.backward.outputs]) {
        expect(relativeError(actual[name], expected[name]), `${name}, ${rows} rows`).toBeLessThan(3e-6);
      }
    }
  });
});
