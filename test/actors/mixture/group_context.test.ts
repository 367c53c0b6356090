/** The memory of a group: rows of all its experts in one slab, as many as may come, however they are shared out. */
import { afterAll, expect, it } from 'vitest';
import { compileExperts } from '../../../src/actors/mixture/expert_programs.ts';
import { createGroupContexts } from '../../../src/actors/mixture/group_context.ts';
import { groupRows } from '../../../src/actors/stage/row_buffers.ts';
import { CpuDevice } from '../../../src/kernels/cpu/device.ts';
import { mixturesOf } from '../../../src/models/model.ts';
import { drawn, smallTopology } from '../kit.ts';

const device = new CpuDevice({ bytes: 2 ** 24 });
afterAll(() => device.close());

it.each([
  [{}, [64, 128, 128]],
  [{ 'moe.eval_capacity_factor': 4 }, [128, 128, 128]],
  [{ 'moe.top_k': 2, 'moe.eval_capacity_factor': 1.25 }, [80, 160, 256]],
  [{ 'moe.top_k': 2, 'moe.eval_capacity_factor': 4 }, [128, 256, 256]],
])('one, two and four experts of four have rows for what they may get of 128 tokens (%j)', async (settings, rows) => {
  const { model } = await drawn(smallTopology(settings));
  const [mixture] = mixturesOf(model);
  expect([1, 2, 4].map((experts) => groupRows(mixture, experts))).toEqual(rows);
});

it('a microbatch keeps what its way back reads, and shares with others what is of use within one message', async () => {
  const { model } = await drawn(smallTopology());
  const [mixture] = mixturesOf(model);
  const size = { count: 4, rows: 128, each: 32 };
  const programs = await compileExperts(device, mixture.programs.expert, size);
  const weights = Array.from({ length: 4 }, () => ({}));
  const slice = device.slice('group', 2 ** 22);
  const [one, other] = createGroupContexts(device, slice, { programs, weights, count: 2 });
  const names = Object.keys(one.slab);
  const shared = names.filter((name) => one.slab[name] === other.slab[name]);
  expect(shared).toContain('outputs_SD');
  expect(shared).toContain('d_rows_SD');
  const { kept, residuals, backwardWeight } = programs.derivative;
  const later = backwardWeight.inputs.filter(({ role }) => role === 'input');
  for (const name of [...kept, ...[...residuals, ...later].map((each) => each.name)])
    expect(shared).not.toContain(name);
  for (const tensor of Object.values(one.slab)) expect(tensor.shape[0]).toBe(128);
  expect(one.own).toBe(weights);
});
