/** What `training.precision` reaches: the products of blocks and experts, and nothing else. */
import { describe, expect, it } from 'vitest';
import { decomposed } from '../../src/kernels/cpu/decomposed.ts';
import type { Precision } from '../../src/kernels/precision.ts';
import { show, type Program } from '../../src/kernels/program.ts';
import { feedForward } from '../../src/models/blocks/feed_forward.ts';
import { mixturesOf, type Model } from '../../src/models/model.ts';
import type { FeedForward } from '../../src/models/sublayer.ts';
import { modelOf, runStepsOf, tinyConfig, tinySettings, usualSublayers } from './kit.ts';

const modelIn = (precision: Precision, feedForward = usualSublayers.feedForward): Model =>
  modelOf(tinyConfig, { ...tinySettings, precision }, { ...usualSublayers, feedForward });

/** Every program of a model by its name. */
const programsOf = (model: Model): Map<string, Program> => {
  const ofSteps = runStepsOf(model).map(({ program }) => program);
  const { score, scoreEvaluation, dispatch, combine, expert } = mixturesOf(model)[0].programs;
  const all = [...ofSteps, model.logits!.program, score, scoreEvaluation, dispatch, combine, expert];
  return new Map(all.map((program) => [program.name, program]));
};

/** Operands that a program rounds, by program; without those that round none. */
const roundedBy = (model: Model): Record<string, string[]> =>
  Object.fromEntries(
    [...programsOf(model)].flatMap(([name, program]) => {
      const ops = decomposed(program).nodes.map(({ op }) => op);
      const rounding = ops.filter((op) => op === 'round_f16' || op === 'round_bf16');
      return rounding.length === 0 ? [] : [[name, [...new Set(rounding), String(rounding.length)]]];
    }),
  );

describe('products', () => {
  it.each([
    ['bf16', 'round_bf16'],
    ['f16', 'round_f16'],
  ] as const)('in %s are those of q, k, v, o, up and down; not attention, router or head', (precision, op) => {
    expect(roundedBy(modelIn(precision))).toEqual({
      dense_block: [op, '12'],
      sparse_block: [op, '8'],
      expert: [op, '4'],
    });
  });

  it('in f32 round nothing', () => {
    expect(roundedBy(modelIn('f32'))).toEqual({});
  });
});

describe('a squared ReLU', () => {
  const squared = (square: FeedForward['apply']): FeedForward => ({
    ...feedForward({ act: 'relu' }),
    apply: (h, w, shape, ops) =>
      ops.matmul(square(ops.matmul(h, w.up_FD, { transposeB: true }), w, shape, ops), w.down_DF, { transposeB: true }),
  });
  const once = squared((x, _w, _shape, { mul, relu }) => {
    const rectified = relu(x);
    return mul(rectified, rectified);
  });
  const twice = squared((x, _w, _shape, { mul, relu }) => mul(relu(x), relu(x)));
  const half = squared((x, _w, _shape, { mul, relu }) => mul(x, relu(x)));
  const gated = squared((x, _w, _shape, { mul, relu, silu }) => mul(silu(x), relu(x)));

  it.each([
    ['by itself', once],
    ['by another of the same', twice],
    ['by what it rectifies', half],
  ])('(%s) is never f16: what has one is the program of fp32', (_how, feedForward) => {
    const [low, full] = [programsOf(modelIn('f16', feedForward)), programsOf(modelIn('f32', feedForward))];
    for (const name of ['dense_block', 'expert']) expect(show(low.get(name)!)).toBe(show(full.get(name)!));
    expect(Object.keys(roundedBy(modelIn('f16', feedForward)))).toEqual(['sparse_block']);
    expect(Object.keys(roundedBy(modelIn('bf16', feedForward)))).toEqual(['dense_block', 'sparse_block', 'expert']);
  });

  it('is not what a gate with a ReLU is', () => {
    expect(Object.keys(roundedBy(modelIn('f16', gated)))).toEqual(['dense_block', 'sparse_block', 'expert']);
  });
});
