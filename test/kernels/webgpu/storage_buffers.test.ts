/** Storage buffers of a pass: WebGPU promises 8 a shader stage, and many adapters have no more. */
import { describe, expect, it } from 'vitest';
import { dynamic, vjp } from '../../../src/kernels/index.ts';
import type { AdapterTraits } from '../../../src/kernels/webgpu/lowering.ts';
import type { Pass } from '../../../src/kernels/webgpu/pass.ts';
import { planPasses } from '../../../src/kernels/webgpu/plan.ts';
import { cases } from '../cases.ts';

const LEAST = 8;

const features = new Set(['subgroups']);
const forms: Readonly<Record<string, AdapterTraits>> = {
  shared: { isSerial: false, features, subgroupMatrix: null },
  serial: { isSerial: true, features, subgroupMatrix: null },
};

/** Of a pass, or of the one of its forms that binds most; live sizes are a uniform, and count for nothing here. */
const boundBy = (pass: Pass): number =>
  Math.max(
    ...[pass, ...(pass.choice?.forms.map((form) => form.pass) ?? [])].map(
      ({ bindings, canRefuse }) => bindings.length + Number(canRefuse),
    ),
  );

describe.each(Object.entries(forms))('%s', (_form, traits) => {
  it.each(cases)('$name binds no more than every adapter has', ({ rows, build }) => {
    const { forward, backward } = vjp(build(rows === 'dynamic' ? dynamic('rows', 20) : 17));
    const passes = [forward, backward].flatMap((p) => planPasses(p, traits, { buffers: LEAST }).passes);
    expect(passes.filter((pass) => boundBy(pass) > LEAST).map(({ label }) => label)).toEqual([]);
  });
});
