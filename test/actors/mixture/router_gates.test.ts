/** Gates between device and host: a prompt has fewer rows than a microbatch, and the losses are of these alone. */
import { afterAll, expect, it } from 'vitest';
import { admit } from '../../../src/actors/mixture/admission.ts';
import { noRouting } from '../../../src/actors/mixture/choice_log.ts';
import { compileRouter, createRouterContext } from '../../../src/actors/mixture/router_context.ts';
import { RouterGates } from '../../../src/actors/mixture/router_gates.ts';
import { CpuDevice } from '../../../src/kernels/cpu/device.ts';
import { floats } from '../../../src/kernels/dtype.ts';
import { mixturesOf } from '../../../src/models/model.ts';
import { unit } from '../../../src/runtime/testing/index.ts';
import { drawn, smallTopology } from '../kit.ts';

const device = new CpuDevice({ bytes: 2 ** 24 });
afterAll(() => device.close());

const [D, E] = [32, 4];
const random = (salt: number, length: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => 2 * unit(salt, i) - 1);

/** What a router that has memory for microbatches of so many sequences of 16 makes of one sequence, after a whole microbatch. */
async function ofOneSequence(sequences: number) {
  const { model } = await drawn(smallTopology({ 'training.global_batch_size': sequences }));
  const [mixture] = mixturesOf(model);
  const slice = device.slice(`router of ${sequences}`, 2 ** 20);
  const programs = await compileRouter(device, mixture.programs);
  const router_ED = slice.tensor('router_ED', 'f32', [E, D]);
  device.write(router_ED, random(1, E * D));
  const context = createRouterContext(slice, programs, { router_ED });
  const log = await noRouting.open(mixture.name, 0);
  const gates = new RouterGates({ device, programs, mixture, log, seed: 3, place: { globalMicrobatches: 1 } });
  const rule = { experts: E, topK: 1, choices: 1, size: 16, slots: 8, order: 'position' } as const;
  let losses = null;
  for (const [salt, tokens] of [
    [2, sequences * 16],
    [3, 16],
  ]) {
    device.write(context.score.h_RD, random(salt, tokens * D));
    const which = { kind: 'score', data: 'held out', step: 0, microbatch: 0 } as const;
    const choices = await gates.choose(which, context, { tokens, live_R: null });
    losses = await gates.gate(context, choices, admit(choices, rule));
  }
  const made = floats('gates', await device.read(context.gates.gates_RK, 16));
  return { losses, gates: [...made] };
}

it('are of the rows that a prompt has, in memory for more', async () => {
  const alone = await ofOneSequence(1);
  expect(alone.losses!.auxLoss).toBeGreaterThan(0);
  expect(await ofOneSequence(4)).toEqual(alone);
});
