/** The memory of a microbatch in a stage: what steps share, and what they do not. */
import { expect, it } from 'vitest';
import { createStageContext } from '../../../src/actors/stage/stage_context.ts';
import { DryDevice } from '../../../src/kernels/cpu/dry_device.ts';
import { add, concat, f32, relu, slice, trace } from '../../../src/kernels/index.ts';
import type { Step } from '../../../src/models/model.ts';

/** A step that also gives rows of a width of its own, under a name that others use too. */
const step = (layer: number, width: number): Step => ({
  kind: 'block',
  layer,
  program: trace(`block of ${width}`, { x_RD: f32([8, 16]), bias_RD: f32([8, width]) }, ({ x_RD, bias_RD }) => {
    const wide = width > 16 ? slice(bias_RD, 1, 0, 16) : bias_RD;
    return { y_RD: add(x_RD, wide), h_RD: concat([relu(bias_RD)], 1) };
  }),
  weights: {},
});

it('steps share a tensor of one name where its type is the same, and have their own where it is not', async () => {
  const device = new DryDevice();
  const steps = [step(0, 16), step(1, 32), step(2, 16)];
  const context = await createStageContext(device, device.slice('stage', 2 ** 20), steps, {});
  const [first, second, third] = context.steps.map((ready) => ('bindings' in ready ? ready.bindings : {}));
  expect([first, second, third].map(({ h_RD }) => h_RD.shape)).toEqual([
    [8, 16],
    [8, 32],
    [8, 16],
  ]);
  expect(third.h_RD).toBe(first.h_RD);
  expect(second.d_h_RD).not.toBe(first.d_h_RD);
});
