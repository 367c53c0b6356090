/**
 * The blocks of a decoder layer on the residual stream: the whole of a dense layer, and both sides of a mixture. Norms come first;
 * they, what mixes tokens and what works on rows are given. Shape suffixes: see `model.ts`.
 */
import * as ops from '../../kernels/ops/index.ts';
import { add } from '../../kernels/ops/add.ts';
import { f32, trace, type Values } from '../../kernels/trace.ts';
import type { LayerShape } from '../config.ts';
import type { TraceSettings } from '../trace_settings.ts';
import type { Weights } from '../model.ts';
import type { ParameterMakers } from '../parameter.ts';
import { segmentReads } from '../segments.ts';
import type { Sublayers } from '../sublayer.ts';
import { tapsOf, type Tap } from '../taps.ts';
import { tracedBlock, type TracedBlock } from '../traced_block.ts';
import { weightsOf, weightsUnder } from '../weights_of.ts';
import { normed, normWeights, rmsNormOf, type Norm } from './norms.ts';

export interface LayerParts {
  readonly shape: LayerShape;
  readonly settings: TraceSettings;
  readonly sublayers: Sublayers;
  /** What stands before both; default RMSNorm. */
  readonly norm?: Norm;
  /** Of the parameters; default: the usual. */
  readonly make?: ParameterMakers;
}

const normOf = ({ norm, shape }: LayerParts): Norm => norm ?? rmsNormOf(shape.normEps);

/** x_RD → y_RD: x + mixer(norm(x)), then x + feedForward(norm(x)). */
export function denseBlock(parts: LayerParts): TracedBlock {
  const { shape, settings, sublayers } = parts;
  const { feedForward } = sublayers;
  return tracedBlock({
    name: 'dense_block',
    reads: { ...readsOf(parts), ...segmentReads(settings) },
    weightsAt: (place) => ({
      ...mixerWeights(parts, place),
      ...weightsOf(feedForward, shape, 'ffn', `${place}.mlp`, parts.make),
    }),
    apply: (w, tap) => {
      const x_RD = mix(parts, w, tap);
      const h_RD = normed(normOf(parts), 'norm2', x_RD, w);
      tap('post_attention_layernorm', () => h_RD);
      return { y_RD: add(x_RD, feedForward.apply(h_RD, weightsUnder('ffn', w), shape, ops, tap)) };
    },
    taps: tapsOf(settings),
    precision: settings.precision,
  });
}

/** x_RD → y_RD, h_RD: the mixer, and the normed rows that a mixture's router sees. */
export function sparseBlock(parts: LayerParts): TracedBlock {
  return tracedBlock({
    name: 'sparse_block',
    reads: { ...readsOf(parts), ...segmentReads(parts.settings) },
    weightsAt: (place) => mixerWeights(parts, place),
    apply: (w, tap) => {
      const y_RD = mix(parts, w, tap);
      const h_RD = normed(normOf(parts), 'norm2', y_RD, w);
      tap('post_attention_layernorm', () => h_RD);
      return { y_RD, h_RD };
    },
    taps: tapsOf(parts.settings),
    precision: parts.settings.precision,
  });
}

/** x_RD, h_RD → y_RD: x + what `count` experts that every token visits make of h, one network as wide as all of them. */
export function sharedBlock(parts: LayerParts, count: number): TracedBlock {
  const { shape, settings, make } = parts;
  const { feedForward } = parts.sublayers;
  const { x_RD } = readsOf({ shape, settings });
  const wide = { ...shape, ffn: count * shape.ffn };
  return tracedBlock({
    name: 'shared_experts',
    reads: { x_RD, h_RD: x_RD },
    weightsAt: (place) => weightsOf(feedForward, wide, 'ffn', `${place}.mlp.shared_experts`, make),
    apply: (w) => ({ y_RD: add(w.x_RD, feedForward.apply(w.h_RD, weightsUnder('ffn', w), wide, ops)) }),
    precision: settings.precision,
  });
}

/** x_RD, moe_RD → y_RD: their sum. */
export function mergeBlock(parts: Pick<LayerParts, 'shape' | 'settings'>): TracedBlock {
  const { x_RD } = readsOf(parts);
  const program = trace('merge', { x_RD, moe_RD: x_RD }, (w) => ({ y_RD: add(w.x_RD, w.moe_RD) }));
  return { program, weightsAt: () => ({}) };
}

const readsOf = ({ shape, settings: { batch, sequence } }: Pick<LayerParts, 'shape' | 'settings'>) => ({
  x_RD: f32([batch * sequence, shape.hidden]),
});

function mix(parts: LayerParts, w: Values<string>, tap: Tap) {
  const { shape, sublayers } = parts;
  const { batch, sequence } = parts.settings;
  const h_RD = normed(normOf(parts), 'norm1', w.x_RD, w);
  tap('input_layernorm', () => h_RD);
  const mixed = { ...shape, batch, sequence, begins_R: w.begins_R };
  return add(w.x_RD, sublayers.mixer.apply(h_RD, weightsUnder('mixer', w), mixed, ops, tap));
}

function mixerWeights(parts: LayerParts, place: string): Weights {
  const { shape, sublayers, make } = parts;
  const norm = normOf(parts);
  return {
    ...normWeights(norm, 'norm1', `${place}.input_layernorm`, shape.hidden),
    ...weightsOf(sublayers.mixer, shape, 'mixer', place, make),
    ...normWeights(norm, 'norm2', `${place}.post_attention_layernorm`, shape.hidden),
  };
}
