/** The programs of a mixture: their gradients against finite differences in float64, and where numbers are rounded. */
import { describe, expect, it } from 'vitest';
import { admit, startsOf } from '../../src/actors/mixture/admission.ts';
import { allocate, floats, ints, type Data } from '../../src/kernels/dtype.ts';
import { runReference } from '../../src/kernels/reference.ts';
import type { LiveSizes } from '../../src/kernels/shape.ts';
import { vjp } from '../../src/kernels/vjp.ts';
import type { Program } from '../../src/kernels/program.ts';
import { mixtureBlock } from '../../src/models/blocks/mixture.ts';
import type { MixtureConfig } from '../../src/models/config.ts';
import { unit } from '../../src/runtime/testing/index.ts';
import { tinyMoe, tinySettings, tinyShape, usualSublayers } from './kit.ts';
import { matrixOf, mixture } from './plain_decoder.ts';

const { hidden: D, ffn: F } = tinyShape;
const [R, E, K, capacity] = [9, 3, 2, 6];
const rule = { experts: E, topK: K, capacity };
const hand = { kind: 'hand', to: 'model.layers.1.mlp', gives: 'h', takes: 'moe' } as const;
const settings = { ...tinySettings, batch: 1, sequence: R };
const { feedForward } = usualSublayers;

const programsOf = (more: Partial<MixtureConfig> = {}) =>
  mixtureBlock({ shape: tinyShape, moe: { ...tinyMoe, ...more }, settings, feedForward }).at(
    { hand, part: 'mlp', before: 0 },
    1,
  ).programs;

const random = (salt: number, length: number, size = 1): Float32Array =>
  Float32Array.from({ length }, (_, i) => size * (2 * unit(salt, i) - 1));

const h_RD = random(1, R * D);
const router_ED = random(2, E * D);
const experts = Array.from({ length: E }, (_, e) => ({
  ffn_up_FD: random(3 + e, F * D),
  ffn_down_DF: random(30 + e, D * F),
}));
/** All rows are tokens, and no auxiliary loss counts. */
const [live_R1, load_GE, z_weight_1] = [new Float32Array(R).fill(1), new Float32Array(E), new Float32Array(1)];
const unbalanced = { live_R1, load_GE, z_weight_1 };
/** d(loss)/d(moe): the loss is the output weighted by this. */
const d_moe_RD = random(99, R * D);

type Values = Readonly<Record<string, Data>>;

/** Forward by program, then backward with its residuals: all that both give. */
function differentiate(program: Program, inputs: Values, live: LiveSizes, constants: string[] = []) {
  const { forward, backward, backwardInput, backwardWeight } = vjp(program, { constants });
  const made = { ...inputs, ...runReference(forward, inputs, live) };
  return {
    made,
    /** From cotangents, whole or split. */
    whole: (d: Values) => runReference(backward, { ...made, ...d }, live),
    split: (d: Values) => {
      const carried = runReference(backwardInput, { ...made, ...d }, live);
      return { ...carried, ...runReference(backwardWeight, { ...made, ...d, ...carried }, live) };
    },
  };
}

/** Output and all gradients of a mixture, the way that router and experts chain the programs. */
function chain(programs: ReturnType<typeof programsOf>) {
  const tokens = { tokens: R };
  const score = differentiate(programs.score, { h_RD, router_ED }, tokens);
  const { logits_RE } = score.made;
  const { choices_RP, scores_RP } = runReference(programs.choose, { logits_RE }, tokens);
  const choices = { choices_RP: ints('choices', choices_RP), scores_RP: floats('scores', scores_RP), live_R: null };
  const routing = admit(choices, { experts: E, topK: K, choices: K, size: R, slots: capacity, order: 'position' });
  const { order_S, slots_RK, kept_E, experts_RK: taken_RK } = routing;
  const gates = differentiate(programs.gates, { logits_RE, taken_RK, ...unbalanced }, tokens, Object.keys(unbalanced));
  const { gates_RK } = gates.made;
  const live = { tokens: R, slots: order_S.length };
  const dispatch = differentiate(programs.dispatch, { h_RD, order_S }, live);
  const { rows_SD } = dispatch.made;
  const starts = startsOf(kept_E);
  const part = (data: Data, e: number): Data => data.subarray(starts[e] * D, (starts[e] + kept_E[e]) * D);
  const ran = experts.map((weights, e) =>
    differentiate(programs.expert, { rows_SD: part(rows_SD, e), ...weights }, { rows: kept_E[e] }),
  );
  const joined = (parts: readonly Data[]): Data => {
    const all = allocate(parts[0] instanceof Uint16Array ? 'bf16' : 'f32', live.slots * D);
    parts.forEach((data, e) => all.set(data, starts[e] * D));
    return all;
  };
  const outputs_SD = joined(ran.map(({ made }) => made.outputs_SD));
  const combine = differentiate(programs.combine, { outputs_SD, gates_RK, slots_RK }, live);
  const { d_outputs_SD, d_gates_RK } = combine.whole({ d_moe_RD });
  const d_experts = ran.map(({ split }, e) => split({ d_outputs_SD: part(d_outputs_SD, e) }));
  const d_rows_SD = joined(d_experts.map((d) => d.d_rows_SD));
  const throughRows = dispatch.whole({ d_rows_SD }).d_h_RD;
  const { d_logits_RE } = gates.whole({ d_gates_RK, d_aux_1: z_weight_1, d_z_1: z_weight_1 });
  const { d_h_RD, d_router_ED } = score.whole({ d_logits_RE });
  return {
    routing,
    rows_SD,
    outputs_SD,
    d_outputs_SD,
    d_rows_SD,
    moe_RD: combine.made.moe_RD,
    d_h_RD: throughRows.map((x, i) => x + d_h_RD[i]),
    d_router_ED,
    d_experts,
    ran,
  };
}

type Plain = ArrayLike<number>;

/** The loss in float64. */
function loss(h: Plain, router: Plain, networks: readonly { ffn_up_FD: Plain; ffn_down_DF: Plain }[]): number {
  const plain = networks.map(({ ffn_up_FD, ffn_down_DF }) => ({
    up: matrixOf(ffn_up_FD, D),
    down: matrixOf(ffn_down_DF, F),
  }));
  const moe = mixture(matrixOf(h, D), matrixOf(router, D), plain, rule).flat();
  return moe.reduce((sum, x, i) => sum + x * d_moe_RD[i], 0);
}

/** Central differences of `of` at each element of `at`, in float64. */
function differences(at: Float32Array, of: (moved: number[]) => number): number[] {
  const step = 1e-6;
  return Array.from(at, (_, i) => {
    const moved = (by: number): number => of(Array.from(at, (x, j) => (j === i ? x + by : x)));
    return (moved(step) - moved(-step)) / (2 * step);
  });
}

describe('in fp32', () => {
  const made = chain(programsOf({ dispatch_dtype: 'fp32' }));

  it('the case has dropped choices and an expert that is full', () => {
    expect(made.routing.slots_RK).toContain(-1);
    expect(made.routing.kept_E).toContain(capacity);
  });

  it('the output is the mixture written in float64', () => {
    const plain = experts.map(({ ffn_up_FD, ffn_down_DF }) => ({
      up: matrixOf(ffn_up_FD, D),
      down: matrixOf(ffn_down_DF, F),
    }));
    const expected = mixture(matrixOf(h_RD, D), matrixOf(router_ED, D), plain, rule).flat();
    for (const [i, x] of expected.entries()) expect(made.moe_RD[i]).toBeCloseTo(x, 5);
  });

  it('the gradient of rows goes through dispatch, experts, combine and the gates', () => {
    for (const [i, d] of differences(h_RD, (h) => loss(h, router_ED, experts)).entries()) {
      expect(made.d_h_RD[i]).toBeCloseTo(d, 5);
    }
  });

  it('the gradient of the router goes through the gates', () => {
    for (const [i, d] of differences(router_ED, (router) => loss(h_RD, router, experts)).entries()) {
      expect(made.d_router_ED[i]).toBeCloseTo(d, 5);
    }
  });

  it.each([0, 1, 2])('the gradients of expert %i come from its own rows', (e) => {
    const others = (weights: { ffn_up_FD?: Plain; ffn_down_DF?: Plain }) =>
      experts.map((own, i) => (i === e ? { ...own, ...weights } : own));
    const byUp = differences(experts[e].ffn_up_FD, (ffn_up_FD) => loss(h_RD, router_ED, others({ ffn_up_FD })));
    const byDown = differences(experts[e].ffn_down_DF, (ffn_down_DF) => loss(h_RD, router_ED, others({ ffn_down_DF })));
    for (const [i, d] of byUp.entries()) expect(made.d_experts[e].d_ffn_up_FD[i]).toBeCloseTo(d, 5);
    for (const [i, d] of byDown.entries()) expect(made.d_experts[e].d_ffn_down_DF[i]).toBeCloseTo(d, 5);
  });

  it('a split backward of the expert is the whole one, bit for bit', () => {
    for (const [e, { whole }] of made.ran.entries()) {
      const [start, count] = [startsOf(made.routing.kept_E)[e], made.routing.kept_E[e]];
      const d_outputs_SD = made.d_outputs_SD.subarray(start * D, (start + count) * D);
      const { d_rows_SD, d_ffn_up_FD, d_ffn_down_DF } = made.d_experts[e];
      expect({ d_rows_SD, d_ffn_up_FD, d_ffn_down_DF }).toEqual(whole({ d_outputs_SD }));
    }
  });

  it('an expert without rows gives a gradient of zeros', () => {
    const { split, made: nothing } = differentiate(
      programsOf().expert,
      { rows_SD: new Float32Array(0), ...experts[0] },
      { rows: 0 },
    );
    expect(nothing.outputs_SD).toHaveLength(0);
    const { d_ffn_up_FD, d_ffn_down_DF } = split({ d_outputs_SD: new Float32Array(0) });
    expect(d_ffn_up_FD).toEqual(new Float32Array(F * D));
    expect(d_ffn_down_DF).toEqual(new Float32Array(D * F));
  });
});

describe('in bf16', () => {
  const made = chain(programsOf({ dispatch_dtype: 'bf16' }));
  const exact = chain(programsOf({ dispatch_dtype: 'fp32' }));

  /** bf16 as its upper 16 bits, rounded to nearest, ties to even. */
  function bits(value: number): number {
    const word = new Uint32Array(Float32Array.of(value).buffer)[0];
    return (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }

  it('all four crossings carry 16 bits', () => {
    for (const crossing of [made.rows_SD, made.outputs_SD, made.d_outputs_SD, made.d_rows_SD]) {
      expect(crossing).toBeInstanceOf(Uint16Array);
      expect(crossing).toHaveLength(made.routing.order_S.length * D);
    }
  });

  it('rows out are those of fp32, rounded to nearest even', () => {
    expect([...made.rows_SD]).toEqual(Array.from(exact.rows_SD, bits));
  });

  it('the output is near that of fp32, and not it', () => {
    const scale = Math.max(...Array.from(exact.moe_RD, Math.abs));
    const error = Math.max(...Array.from(made.moe_RD, (x, i) => Math.abs(x - exact.moe_RD[i])));
    expect(error / scale).toBeLessThan(2 ** -6);
    expect(error).toBeGreaterThan(0);
  });
});

describe('scores', () => {
  const { score, scoreEvaluation } = programsOf({ jitter_eps: 0.1 });
  const scored = (...key: number[]): Data =>
    runReference(score, { h_RD, router_ED, key: Int32Array.from(key) }, { tokens: R }).logits_RE;
  const plain = runReference(scoreEvaluation, { h_RD, router_ED }, { tokens: R }).logits_RE;

  it('have noise in training that their key fixes, and none in evaluation', () => {
    expect(scored(1, 1, 3, 5, 0)).toEqual(scored(1, 1, 3, 5, 0));
    expect(scored(1, 1, 3, 5, 0)).not.toEqual(plain);
    for (const key of [
      [2, 1, 3, 5, 0],
      [1, 2, 3, 5, 0],
      [1, 1, 4, 5, 0],
      [1, 1, 3, 6, 0],
      [1, 1, 3, 5, 9],
    ]) {
      expect(scored(...key)).not.toEqual(scored(1, 1, 3, 5, 0));
    }
  });

  it('of a token are the same whichever microbatch it is in', () => {
    const from4 = runReference(
      score,
      { h_RD: h_RD.subarray(4 * D), router_ED, key: Int32Array.of(1, 1, 3, 5, 4) },
      { tokens: R - 4 },
    ).logits_RE;
    expect(from4).toEqual(scored(1, 1, 3, 5, 0).subarray(4 * E));
  });

  it('need no key where there is no noise', () => {
    const quiet = programsOf({ jitter_eps: 0 });
    expect(quiet.score).toBe(quiet.scoreEvaluation);
    expect(quiet.score.inputs.map(({ name }) => name)).toEqual(['h_RD', 'router_ED']);
  });
});
