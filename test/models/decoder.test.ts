/** The programs of a decoder, chained, against the same model written again in float64. */
import { describe, expect, it } from 'vitest';
import { route } from '../../src/actors/mixture/routing.ts';
import { allocate, floats, type Data } from '../../src/kernels/dtype.ts';
import { runReference } from '../../src/kernels/reference.ts';
import { buildModel } from '../../src/models/decoder.ts';
import { isSparse, type Mixture, type Model, type ModelShape, type Weights } from '../../src/models/model.ts';
import { unit } from '../../src/runtime/testing/index.ts';
import { parametersOf, plainOf, tinyShape, valuesOf } from './kit.ts';
import { decode, softmax } from './plain_decoder.ts';

const [B, T] = [2, 6];
const R = B * T;
const tokens = Int32Array.from({ length: R }, (_, i) => Math.floor(unit(1, i) * 11));
const targets = Int32Array.from({ length: R }, (_, i) => Math.floor(unit(2, i) * 11));
const capacity = 7;

type Values = Readonly<Record<string, Data>>;

const bound = (weights: Weights, values: Values): Values =>
  Object.fromEntries(Object.entries(weights).map(([input, { name }]) => [input, values[name]]));

/** moe_RD by the programs of a mixture, with the decision between them. */
function mix(mixture: Mixture, layer: number, h_RD: Data, values: Values, shape: ModelShape): Data {
  const { programs } = mixture;
  const { experts, topK } = shape.mixture!;
  const D = shape.hidden;
  const scores = runReference(programs.score, { h_RD, ...bound(mixture.router(layer), values) }, { tokens: R });
  const routing = route(floats('probs', scores.probs_RE), { experts, topK, capacity });
  const { order_S, gates_RK, slots_RK, kept_E } = routing;
  const slots = order_S.length;
  const { rows_SD } = runReference(programs.dispatch, { h_RD, order_S }, { tokens: R, slots });
  const outputs_SD = allocate('f32', slots * D);
  for (let e = 0, at = 0; e < experts; at += kept_E[e], e++) {
    const rows = rows_SD.subarray(at * D, (at + kept_E[e]) * D);
    const made = runReference(
      programs.expert,
      { rows_SD: rows, ...bound(mixture.expert(layer, e), values) },
      { rows: kept_E[e] },
    );
    outputs_SD.set(made.outputs_SD, at * D);
  }
  return runReference(programs.combine, { outputs_SD, gates_RK, slots_RK }, { tokens: R, slots }).moe_RD;
}

/** Takes the tokens through all steps; x_RD before the head, and losses_R. */
function chain(model: Model, values: Values, shape: ModelShape): { x_RD: Data; losses_R: Data } {
  let known: Values = { tokens_R: tokens, targets_R: targets };
  let before = known;
  for (const step of model.steps) {
    if (step.kind === 'exchange') {
      known = { ...known, moe_RD: mix(model.mixture!, step.layer, known.h_RD, values, shape) };
      continue;
    }
    before = known;
    const outputs = runReference(step.program, { ...known, ...bound(step.weights, values) });
    known = { ...known, ...outputs, ...('y_RD' in outputs ? { x_RD: outputs.y_RD } : {}) };
  }
  return { x_RD: before.x_RD, losses_R: known.losses_R };
}

describe.each([
  ['switch', tinyShape],
  [
    'switch with every layer sparse, top 1',
    { ...tinyShape, mixture: { ...tinyShape.mixture!, everyNLayers: 1, topK: 1 } },
  ],
  ['transformer', { ...tinyShape, architecture: 'transformer' as const, mixture: null }],
])('the programs of a %s', (_name, shape: ModelShape) => {
  const model = buildModel(shape, B, T);
  const parameters = parametersOf(model, shape.mixture?.experts ?? 0);
  const values = valuesOf(parameters, 5);
  const logits = decode(
    [...tokens],
    {
      layers: shape.layers,
      heads: shape.heads,
      theta: shape.ropeTheta,
      epsilon: shape.normEps,
      sequence: T,
      sparse: Array.from({ length: shape.layers }, (_, layer) => layer).filter((layer) => isSparse(shape, layer)),
      rule: { experts: shape.mixture?.experts ?? 0, topK: shape.mixture?.topK ?? 0, capacity },
    },
    plainOf(parameters, values),
  );
  const { x_RD, losses_R } = chain(model, values, shape);

  it('give the losses of the model written in float64', () => {
    expect(losses_R).toHaveLength(R);
    for (const [r, row] of logits.entries()) expect(losses_R[r]).toBeCloseTo(-Math.log(softmax(row)[targets[r]]), 4);
  });

  it('give its logits at any position', () => {
    for (const position of [0, 5, R - 1]) {
      const position_2 = Int32Array.of(position, position);
      const made = runReference(model.logits.program, { x_RD, position_2, ...bound(model.logits.weights, values) });
      const width = shape.vocabulary;
      for (const half of [0, width]) {
        for (let v = 0; v < width; v++) expect(made.logits_2V[half + v]).toBeCloseTo(logits[position][v], 4);
      }
    }
  });
});

describe('a decoder', () => {
  it('sees no later token, and no other sequence', () => {
    const shape = { ...tinyShape, architecture: 'transformer' as const, mixture: null };
    const model = buildModel(shape, B, T);
    const values = valuesOf(parametersOf(model, 0), 5);
    const whole = chain(model, values, shape).x_RD;
    const token = tokens[3];
    tokens[3] = (token + 1) % 11;
    const changed = chain(model, values, shape).x_RD;
    tokens[3] = token;
    const differs = Array.from({ length: R }, (_, r) =>
      whole.subarray(r * 8, (r + 1) * 8).some((x, i) => x !== changed[r * 8 + i]),
    );
    expect(differs).toEqual([false, false, false, true, true, true, ...new Array<boolean>(T).fill(false)]);
  });

  it('shares one program among layers of one shape, so that a device compiles it once', () => {
    const { steps } = buildModel(tinyShape, B, T);
    const programs = steps.flatMap((step) => (step.kind === 'block' ? [step.program] : []));
    expect(programs[0]).toBe(programs[2]);
    expect(programs[1]).toBe(programs[3]);
    expect(programs[0]).not.toBe(programs[1]);
  });
});
