/** The programs of a decoder, chained, against the same model written again in float64. */
import { describe, expect, it } from 'vitest';
import type { Data } from '../../src/kernels/dtype.ts';
import type { Program } from '../../src/kernels/program.ts';
import type { ModelConfig } from '../../src/models/config.ts';
import { batchStreams, lastRowsOf, type Model } from '../../src/models/model.ts';
import { unit } from '../../src/runtime/testing/index.ts';
import { forward, logitsAt, type Values } from './forward.ts';
import { denseConfig, modelOf, parametersOf, plainOf, runStepsOf, tinyConfig, tinyMoe, valuesOf } from './kit.ts';
import { decode, softmax, type Parameters } from './plain_decoder.ts';

const [B, T] = [2, 6];
const R = B * T;
const tokens = Int32Array.from({ length: R }, (_, i) => Math.floor(unit(1, i) * 11));
const targets = Int32Array.from({ length: R }, (_, i) => Math.floor(unit(2, i) * 11));
const capacity = 7;

/** The plain decoder reads its head by its own name. */
const tiedHead = ({ tie_word_embeddings: isTied }: ModelConfig, plain: Parameters): Parameters =>
  isTied ? { ...plain, 'lm_head.weight': plain['model.embed_tokens.weight'] } : plain;

/** Takes the tokens through all steps; the rows before the head, and losses_R. */
function chain(model: Model, values: Values): { x_RD: Data; losses_R: Data } {
  const batch = { [batchStreams.tokens]: tokens, [batchStreams.targets]: targets };
  const streams = forward(model, values, batch, { capacity });
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
  const { x_RD, losses_R } = chain(model, values);

  it('give the losses of the model written in float64', () => {
    expect(losses_R).toHaveLength(R);
    for (const [r, row] of logits.entries()) expect(losses_R[r]).toBeCloseTo(-Math.log(softmax(row)[targets[r]]), 4);
  });

  it('give its logits at any position', () => {
    for (const position of [0, 5, R - 1]) {
      const made = logitsAt(model, values, x_RD, position);
      for (const [v, logit] of logits[position].entries()) expect(made[v]).toBeCloseTo(logit, 4);
    }
  });
});

describe('a decoder', () => {
  it('sees no later token, and no other sequence', () => {
    const model = modelOf(denseConfig);
    const values = valuesOf(parametersOf(model, 0), 5);
    const whole = chain(model, values).x_RD;
    const token = tokens[3];
    tokens[3] = (token + 1) % 11;
    const changed = chain(model, values).x_RD;
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
