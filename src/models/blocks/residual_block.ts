/**
 * A residual block is one sublayer on the residual stream, behind a norm of its own: x + f(norm(x)). Two of them may stand beside
 * each other on the same rows. The sides of a mixture are two of its blocks: the norm before, the sum behind. Shape suffixes: see
 * `model.ts`.
 */
import * as ops from '../../kernels/ops/index.ts';
import { add } from '../../kernels/ops/add.ts';
import { f32 } from '../../kernels/trace.ts';
import type { LayerShape } from '../config.ts';
import { usualMakers, type ParameterMakers } from '../parameter.ts';
import { segmentReads } from '../segments.ts';
import type { FeedForward, Mixer } from '../sublayer.ts';
import { tapsOf } from '../taps.ts';
import { tracedBlock, type TracedBlock } from '../traced_block.ts';
import type { TraceSettings } from '../trace_settings.ts';
import { weightsOf, weightsUnder } from '../weights_of.ts';
import { normed, normWeights, type Norm } from './norms.ts';

export interface ResidualParts {
  readonly shape: LayerShape;
  readonly settings: TraceSettings;
  readonly norm: Norm;
  /** What its norm is called in its layer. */
  readonly normName: string;
  readonly make?: ParameterMakers;
}

/** What works on the rows: a mixer, whose parameters continue the layer's names, or a network at a part of it. */
export type Residual =
  | { readonly kind: 'mixer'; readonly sublayer: Mixer }
  | { readonly kind: 'ffn'; readonly sublayer: FeedForward; readonly part: string };

/** x_RD → y_RD: x + f(norm(x)); with `isBeside` x_RD, beside_RD → y_RD: beside + f(norm(x)). */
export function residualBlock(parts: ResidualParts, residual: Residual, isBeside = false): TracedBlock {
  const { shape, settings, norm, normName, make = usualMakers } = parts;
  const { batch, sequence } = settings;
  const { kind } = residual;
  const rows = f32([batch * sequence, shape.hidden]);
  return tracedBlock({
    name: `${kind}_block`,
    reads: {
      x_RD: rows,
      ...(isBeside ? { beside_RD: rows } : {}),
      ...(kind === 'mixer' ? segmentReads(settings) : {}),
    },
    weightsAt: (place) => ({
      ...normWeights(norm, 'norm', `${place}.${normName}`, shape.hidden),
      ...weightsOf(residual.sublayer, shape, kind, kind === 'mixer' ? place : `${place}.${residual.part}`, make),
    }),
    apply: (w, tap) => {
      const h_RD = normed(norm, 'norm', w.x_RD, w);
      tap(normName, () => h_RD);
      const own = weightsUnder(kind, w);
      const made =
        kind === 'mixer'
          ? residual.sublayer.apply(h_RD, own, { ...shape, batch, sequence, begins_R: w.begins_R }, ops, tap)
          : residual.sublayer.apply(h_RD, own, shape, ops, tap);
      return { y_RD: add(w.beside_RD ?? w.x_RD, made) };
    },
    taps: tapsOf(settings),
    precision: settings.precision,
  });
}

/** x_RD → h_RD: the normed rows that a mixture's router sees. */
export function normBlock({ shape, settings, norm, normName }: ResidualParts): TracedBlock {
  return tracedBlock({
    name: 'norm_block',
    reads: { x_RD: f32([settings.batch * settings.sequence, shape.hidden]) },
    weightsAt: (place) => normWeights(norm, 'norm', `${place}.${normName}`, shape.hidden),
    apply: (w, tap) => {
      const h_RD = normed(norm, 'norm', w.x_RD, w);
      tap(normName, () => h_RD);
      return { h_RD };
    },
    taps: tapsOf(settings),
  });
}
