/** What the sublayers of a model cost, from their traces: the same arithmetic counts a sublayer of anybody's. */
import { flopsOf, type Program } from '../kernels/program.ts';
import * as ops from '../kernels/ops/index.ts';
import { elements, sameShape, showShape, type Shape } from '../kernels/shape.ts';
import { f32, trace, type Values } from '../kernels/trace.ts';
import type { SublayerCost } from '../topology/index.ts';
import type { ModelShape, Weights } from './model.ts';
import type { SequenceShape, Sublayers } from './sublayer.ts';
import { specsOf, weightsOf, weightsUnder } from './weights_of.ts';

export interface SublayerCosts {
  readonly mixer: SublayerCost;
  readonly feedForward: SublayerCost;
}

/** Throws what a sublayer throws, and `TypeError` where its parameters collide, or its rows are not as many as it was given. */
export function sublayerCosts(shape: ModelShape, rows: SequenceShape, sublayers: Sublayers): SublayerCosts {
  const { mixer, feedForward } = sublayers;
  const count = rows.batch * rows.sequence;
  const h_RD = f32([count, shape.hidden]);
  const costOf = (name: 'mixer' | 'feedForward', traceOf: (weights: Weights) => Program): SublayerCost => {
    const weights = weightsOf(sublayers[name], shape, 'w', name);
    checkParameters(name, weights);
    const program = traceOf(weights);
    const made = program.outputs[0].value.type.shape;
    if (!sameShape(made, h_RD.shape)) throw new TypeError(refusal(name, made, h_RD.shape));
    const parameters = Object.values(weights).reduce((sum, { shape: of }) => sum + elements(of), 0);
    return { parameters, flopsPerToken: flopsOf(program) / count };
  };
  return {
    mixer: costOf('mixer', (weights) =>
      trace('mixer', { h_RD, ...specsOf(weights) }, (w: Values<string>) => ({
        y_RD: mixer.apply(w.h_RD, weightsUnder('w', w), { ...shape, ...rows }, ops),
      })),
    ),
    feedForward: costOf('feedForward', (weights) =>
      trace('feedForward', { h_RD, ...specsOf(weights) }, (w: Values<string>) => ({
        y_RD: feedForward.apply(w.h_RD, weightsUnder('w', w), shape, ops),
      })),
    ),
  };
}

/** Names that the parts of a layer have already, as patterns of what follows the sublayer's own place. */
const taken = { mixer: /^(input_layernorm|post_attention_layernorm|mlp)\./, feedForward: /^(router|experts)\./ };

function checkParameters(sublayer: 'mixer' | 'feedForward', weights: Weights): void {
  const seen = new Set<string>();
  for (const { name: whole, shape } of Object.values(weights)) {
    const name = whole.slice(sublayer.length + 1);
    if (taken[sublayer].test(name))
      throw new TypeError(`${sublayer} calls a parameter ${name}, as another part of a layer does`);
    if (seen.has(name)) throw new TypeError(`${sublayer} has two parameters ${name}`);
    if (shape.length === 2 && Math.min(...shape) < 2) {
      throw new TypeError(`${sublayer}'s ${name} is ${showShape(shape)}; a matrix has at least two rows and columns`);
    }
    seen.add(name);
  }
}

const refusal = (name: string, made: Shape, expected: Shape): string =>
  `${name} makes ${showShape(made)} of ${showShape(expected)}; rows and width must stay`;
