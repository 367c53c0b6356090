/** All shaders, of both forms, through Dawn's null backend: is it WGSL, for an adapter that has every feature? */
import { afterAll, expect, it } from 'vitest';
import { dynamic, f32, matmul, trace, vjp, weight, type Program } from '../../../src/kernels/index.ts';
import { groupProgram } from '../../../src/kernels/group_program.ts';
import { openNull } from '../../../src/kernels/webgpu/adapters.ts';
import { pin } from '../../../src/kernels/webgpu/dawn.ts';
import { dimsOf } from '../../../src/kernels/webgpu/compiler.ts';
import type { AdapterTraits } from '../../../src/kernels/webgpu/lowering.ts';
import { GroupPlan } from '../../../src/kernels/webgpu/group_plan.ts';
import { planPasses } from '../../../src/kernels/webgpu/plan.ts';
import { shaderText } from '../../../src/kernels/webgpu/shader.ts';
import { cases } from '../cases.ts';

const { adapter } = await openNull();
const device = pin(
  await adapter.requestDevice({
    requiredFeatures: ['shader-f16', 'subgroups', 'chromium-experimental-subgroup-matrix' as GPUFeatureName],
  }),
);
afterAll(() => device.destroy());

/** What Dawn says against a shader; null where it takes it. */
async function complaint(code: string): Promise<string | null> {
  device.pushErrorScope('validation');
  device.createShaderModule({ code });
  return (await device.popErrorScope())?.message ?? null;
}

const features = new Set(['shader-f16', 'subgroups']);
const traits: readonly AdapterTraits[] = [
  { isSerial: true, features, subgroupMatrix: null },
  { isSerial: false, features, subgroupMatrix: null },
  { isSerial: false, features: new Set(['shader-f16']), subgroupMatrix: null },
  { isSerial: false, features, subgroupMatrix: { edge: 16, lanes: 32 } },
  { isSerial: false, features, subgroupMatrix: { edge: 8, lanes: 32 } },
];

/** Each alone, and for a group where the program is one that groups take. */
const shadersOf = (program: Program): string[] =>
  traits.flatMap((each) => {
    const dims = [...dimsOf(program).keys()];
    const limits = { buffers: 8 };
    const alone = planPasses(program, each, limits).passes.map((pass) => shaderText(pass, dims));
    if (dims.length !== 1) return alone;
    const plan = new GroupPlan(groupProgram(program, { count: 3, rows: 50, each: 4 }), true);
    const planned = planPasses(program, each, limits, (value) => plan.scratchBytes(value));
    const ofGroup = planned.passes.map((pass) =>
      shaderText(pass, dims, { count: 3, origins: plan.origins(pass, planned) }),
    );
    return [...alone, ...ofGroup];
  });

it('tells what is no WGSL', async () => {
  expect(await complaint('fn main( {')).toMatch(/WGSL/);
});

it('takes products in f16, by matrix units where there are some', async () => {
  const product = trace(
    'product',
    { x: f32([dynamic('rows', 200), 64]), w: weight([64, 136]) },
    ({ x, w }) => ({ y: matmul(x, w) }),
    { precision: 'f16' },
  );
  const v = vjp(product);
  const codes = [v.forward, v.backward].flatMap(shadersOf);
  expect(codes.filter((code) => code.includes('subgroupMatrixMultiplyAccumulate'))).toHaveLength(2 * 6);
  for (const code of codes) expect(await complaint(code)).toBeNull();
});

it.each(cases)('$name is WGSL', async ({ rows, build }) => {
  const v = vjp(build(rows === 'dynamic' ? dynamic('rows', 20) : 17));
  for (const code of [v.forward, v.backward].flatMap(shadersOf)) expect(await complaint(code), code).toBeNull();
});
