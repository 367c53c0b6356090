/** A router's choices, gates and auxiliary losses against the papers' vectors and against their definitions in float64. */
import { afterAll, describe, expect, it } from 'vitest';
import { CpuDevice, type Data } from '../../src/kernels/index.ts';
import { gatePrograms, type GateRule } from '../../src/models/blocks/gate_programs.ts';
import { onDevice } from '../kernels/kit.ts';
import { bothWays, largestError, microbatch, someRules, titleOf, usualRule } from './gates.ts';

const device = new CpuDevice({ bytes: 2 ** 28 });
afterAll(() => device.close());

it.each(someRules.map((rule) => ({ title: titleOf(rule), rule })))(
  'gates, losses and their gradient are those of the definition: $title',
  async ({ rule }) => {
    expect(largestError(await bothWays(device, rule))).toBeLessThan(2e-6);
  },
);

const gatesOf = async (rule: GateRule, inputs: Record<string, Data>, tokens: number) =>
  await onDevice(device)(gatePrograms(rule, tokens).gates, inputs, { tokens });

const chosenBy = async (rule: GateRule, inputs: Record<string, Data>, tokens: number) => {
  const { choices_RP, scores_RP } = await onDevice(device)(gatePrograms(rule, 8).choose, inputs, { tokens });
  return { choices: [...choices_RP], scores: [...scores_RP] };
};

describe('the vectors of the papers', () => {
  it('balances and bounds as Switch Transformers and ST-MoE do', async () => {
    const inputs = {
      logits_RE: Float32Array.of(1, 0, 2, 0, 0, 1, 3, 0),
      taken_RK: Int32Array.of(0, 0, 1, 0),
      live_R1: new Float32Array(4).fill(1),
      load_GE: Float32Array.of(0.75, 0.25).map((share) => (2 * share) / 4),
      z_weight_1: Float32Array.of(1 / 4),
    };
    const made = await gatesOf({ ...usualRule, experts: 2, topK: 1, choices: 1 }, inputs, 4);
    expect(made.aux_1[0]).toBeCloseTo(1.2083428, 6);
    expect(made.z_1[0]).toBeCloseTo(4.316755, 5);
    expect(made.gates_RK[0]).toBeCloseTo(0.7310586, 6);
  });

  it.each([
    { scoreOrder: 'topk_softmax', routeNorm: false } as const,
    { scoreOrder: 'pre_softmax', routeNorm: true } as const,
  ])('gates as Mixtral does, $scoreOrder', async (order) => {
    const rule = { ...usualRule, ...order, experts: 4 };
    const logits_RE = Float32Array.of(1, 2, 0.5, -1);
    const padded = new Float32Array(32);
    padded.set(logits_RE);
    const { choices } = await chosenBy(rule, { logits_RE: padded }, 1);
    expect(choices).toEqual([1, 0]);
    const inputs = {
      logits_RE: Float32Array.of(...logits_RE, ...logits_RE),
      taken_RK: Int32Array.of(1, 0, 1, 0),
      live_R1: Float32Array.of(1, 1),
      load_GE: new Float32Array(4),
      z_weight_1: new Float32Array(1),
    };
    const { gates_RK } = await gatesOf(rule, inputs, 2);
    expect(gates_RK[0]).toBeCloseTo(0.7310586, 6);
    expect(gates_RK[1]).toBeCloseTo(0.2689414, 6);
  });
});

const rowsOf = (...rows: readonly (readonly number[])[]): Float32Array => {
  const data = new Float32Array(8 * rows[0].length);
  data.set(rows.flat());
  return data;
};

it('chooses the lowest of equal experts, and the lowest that are left where scores are none', async () => {
  const logits_RE = rowsOf([0, 1, 1, 1], [NaN, 0, 0, 0]);
  const { choices, scores } = await chosenBy({ ...usualRule, experts: 4 }, { logits_RE }, 2);
  expect(choices).toEqual([1, 2, 0, 1]);
  expect(scores.slice(2)).toEqual([NaN, NaN]);
});

it('chooses by the bias, and tells scores without it', async () => {
  const rule: GateRule = { ...usualRule, experts: 4, choices: 3, scoreFunc: 'sigmoid', isBiased: true };
  const inputs = { logits_RE: rowsOf([2, 1, 0, -1]), bias_E: Float32Array.of(-1, 0, 0, 0.5) };
  const { choices, scores } = await chosenBy(rule, inputs, 1);
  expect(choices).toEqual([3, 1, 2]);
  [-1, 1, 0].forEach((x, i) => expect(scores[i]).toBeCloseTo(1 / (1 + Math.exp(-x)), 6));
});

it('chooses from the groups whose two best are worth most', async () => {
  const rule: GateRule = { ...usualRule, groups: 2, limitedGroups: 1 };
  // The best expert of all is alone in its group.
  const logits_RE = rowsOf([9, -9, -9, -9, 8, 8.5, -9, -9]);
  const scoreFunc = 'sigmoid';
  expect((await chosenBy({ ...rule, scoreFunc }, { logits_RE }, 1)).choices).toEqual([5, 4]);
});

it('refuses groups that do not divide what they are groups of', () => {
  expect(() => gatePrograms({ ...usualRule, auxGroups: 5 }, 12)).toThrow('5 groups do not divide 12 rows');
  expect(() => gatePrograms({ ...usualRule, groups: 3 }, 12)).toThrow('3 groups do not divide 8');
});

it('refuses an expert that is none', async () => {
  const inputs = { ...microbatch(usualRule), taken_RK: new Int32Array(24).fill(8) };
  const message = 'router_scores: column 8 of row 0 is outside of 8 columns';
  await expect(gatesOf(usualRule, inputs, 12)).rejects.toThrow(message);
});
