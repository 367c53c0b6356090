/** The programs of a decoder, chained, against the same model written again in float64. */
import { describe, expect, it } from 'vitest';
import { admit } from '../../src/actors/mixture/admission.ts';
import { allocate, floats, ints, type Data } from '../../src/kernels/dtype.ts';
import type { Program } from '../../src/kernels/program.ts';
import { runReference } from '../../src/kernels/reference.ts';
import type { ModelConfig } from '../../src/models/config.ts';
import {
  batchStreams,
  lastRowsOf,
  layersOf,
  mixturesOf,
  type Mixture,
  type Model,
  type Weights,
} from '../../src/models/model.ts';
import { unit } from '../../src/runtime/testing/index.ts';
import { denseConfig, modelOf, parametersOf, plainOf, runStepsOf, tinyConfig, tinyMoe, valuesOf } from './kit.ts';
import { decode, softmax, type Parameters } from './plain_decoder.ts';

const [B, T] = [2, 6];
const R = B * T;
const tokens = Int32Array.from({ length: R }, (_, i) => Math.floor(unit(1, i) * 11));
const targets = Int32Array.from({ length: R }, (_, i) => Math.floor(unit(2, i) * 11));
const capacity = 7;

type Values = Readonly<Record<string, Data>>;

const bound = (weights: Weights, values: Values): Values =>
  Object.fromEntries(Object.entries(weights).map(([input, { name }]) => [input, values[name]]));

/** moe_RD by the programs of a mixture, with the decision between them. */
function mix(mixture: Mixture, h_RD: Data, values: Values, config: ModelConfig): Data {
  const { programs } = mixture;
  const { num_experts: experts, top_k: topK } = config.moe!;
  const D = config.hidden_size;
  const { logits_RE } = runReference(programs.score, { h_RD, ...bound(mixture.router, values) }, { tokens: R });
  const chosen = runReference(programs.choose, { logits_RE }, { tokens: R });
  const [choices_RP, scores_RP] = [ints('choices', chosen.choices_RP), floats('scores', chosen.scores_RP)];
  const rule = { experts, topK, choices: topK, size: R, slots: capacity, order: 'position' } as const;
  const routing = admit({ choices_RP, scores_RP, live_R: null }, rule);
  const { order_S, slots_RK, kept_E, experts_RK: taken_RK } = routing;
  const balance = {
    live_R1: new Float32Array(R).fill(1),
    load_GE: new Float32Array(experts),
    z_weight_1: new Float32Array(1),
  };
  const { gates_RK } = runReference(programs.gates, { logits_RE, taken_RK, ...balance }, { tokens: R });
  const slots = order_S.length;
  const { rows_SD } = runReference(programs.dispatch, { h_RD, order_S }, { tokens: R, slots });
  const outputs_SD = allocate('f32', slots * D);
  for (let e = 0, at = 0; e < experts; at += kept_E[e], e++) {
    const rows = rows_SD.subarray(at * D, (at + kept_E[e]) * D);
    const made = runReference(
      programs.expert,
      { rows_SD: rows, ...bound(mixture.expert(e), values) },
      { rows: kept_E[e] },
    );
    outputs_SD.set(made.outputs_SD, at * D);
  }
  return runReference(programs.combine, { outputs_SD, gates_RK, slots_RK }, { tokens: R, slots }).moe_RD;
}

/** The plain decoder reads its head by its own name. */
const tiedHead = ({ tie_word_embeddings: isTied }: ModelConfig, plain: Parameters): Parameters =>
  isTied ? { ...plain, 'lm_head.weight': plain['model.embed_tokens.weight'] } : plain;

/** Takes the tokens through all steps; the rows before the head, and losses_R. */
function chain(model: Model, values: Values, config: ModelConfig): { x_RD: Data; losses_R: Data } {
  const mixtures = new Map(mixturesOf(model).map((mixture) => [mixture.id, mixture]));
  const streams: Record<string, Data> = { [batchStreams.tokens]: tokens, [batchStreams.targets]: targets };
  for (const step of layersOf(model).flatMap(({ steps }) => steps)) {
    if (step.kind === 'hand') {
      streams[step.takes] = mix(mixtures.get(step.to)!, streams[step.gives], values, config);
      continue;
    }
    const reads = Object.fromEntries(Object.entries(step.reads).map(([name, stream]) => [name, streams[stream]]));
    const outputs = runReference(step.program, { ...reads, ...bound(step.weights, values) });
    for (const [name, stream] of Object.entries(step.writes)) streams[stream] = outputs[name];
  }
  return { x_RD: streams[lastRowsOf(model)], losses_R: streams[model.objective.losses] };
}

describe.each([
  ['switch', tinyConfig],
  ['switch with every layer sparse, top 1', { ...tinyConfig, moe: { ...tinyMoe, layers: [0, 1, 2, 3], top_k: 1 } }],
  ['switch with layers of four widths', { ...tinyConfig, intermediate_size: [4, 8, 12, 20] }],
  ['switch with a tied head', { ...tinyConfig, tie_word_embeddings: true }],
  ['transformer', denseConfig],
])('the programs of a %s', (_name, config: ModelConfig) => {
  const model = modelOf(config);
  const { moe } = config;
  const parameters = parametersOf(model, moe?.num_experts ?? 0);
  const values = valuesOf(parameters, 5);
  const logits = decode(
    [...tokens],
    {
      layers: config.num_hidden_layers,
      heads: config.num_attention_heads,
      theta: config.rope_theta,
      epsilon: config.rms_norm_eps,
      sequence: T,
      sparse: [...(moe?.layers ?? [])],
      rule: { experts: moe?.num_experts ?? 0, topK: moe?.top_k ?? 0, capacity },
    },
    tiedHead(config, plainOf(parameters, values)),
  );
  const { x_RD, losses_R } = chain(model, values, config);

  it('give the losses of the model written in float64', () => {
    expect(losses_R).toHaveLength(R);
    for (const [r, row] of logits.entries()) expect(losses_R[r]).toBeCloseTo(-Math.log(softmax(row)[targets[r]]), 4);
  });

  it('give its logits at any position', () => {
    for (const position of [0, 5, R - 1]) {
      const position_2 = Int32Array.of(position, position);
      const made = runReference(model.logits!.program, { x_RD, position_2, ...bound(model.logits!.weights, values) });
      const width = config.vocab_size;
      for (const half of [0, width]) {
        for (let v = 0; v < width; v++) expect(made.logits_2V[half + v]).toBeCloseTo(logits[position][v], 4);
      }
    }
  });
});

describe('a decoder', () => {
  it('sees no later token, and no other sequence', () => {
    const model = modelOf(denseConfig);
    const values = valuesOf(parametersOf(model, 0), 5);
    const whole = chain(model, values, denseConfig).x_RD;
    const token = tokens[3];
    tokens[3] = (token + 1) % 11;
    const changed = chain(model, values, denseConfig).x_RD;
    tokens[3] = token;
    const differs = Array.from({ length: R }, (_, r) =>
      whole.subarray(r * 8, (r + 1) * 8).some((x, i) => x !== changed[r * 8 + i]),
    );
    expect(differs).toEqual([false, false, false, true, true, true, ...new Array<boolean>(T).fill(false)]);
  });

  it('shares one program among layers of one shape, so that a device compiles it once', () => {
    const isBlock = ({ name }: Program): boolean => name.endsWith('_block');
    const programs = runStepsOf(modelOf()).flatMap(({ program }) => (isBlock(program) ? [program] : []));
    expect(programs[0]).toBe(programs[2]);
    expect(programs[1]).toBe(programs[3]);
    expect(programs[0]).not.toBe(programs[1]);
  });
});
