/**
 * The joint between a decoder and what its layers are made of. A layer is two sublayers on the residual stream, each
 * behind an RMSNorm: x + mixer(norm(x)), then x + feedForward(norm(x)). The mixer sees whole sequences; the feed-forward
 * network sees rows, and is also what each expert of a mixture computes. Whoever writes a sublayer gets the ops as an
 * argument, so that its module needs no import but types. Shape suffixes: see `model.ts`.
 */
import type * as ops from '../kernels/ops/index.ts';
import type { Value } from '../kernels/graph.ts';
import type { LayerShape } from './config.ts';
import type { Parameter, ParameterMakers } from './parameter.ts';
import type { Tap } from './taps.ts';

/** The ops that a sublayer is written in. */
export type Ops = typeof ops;

/** Sequences of a microbatch; rows of x_RD are B·T, a sequence after the other. */
export interface SequenceShape {
  readonly batch: number;
  readonly sequence: number;
  /**
   * i32 [R], where samples lie one behind the other in a sequence: for each row the place in its sequence, 0 … T − 1, where its
   * sample begins. A mixer must then mix no row with one before that place; one that does not read it is refused. Absent where a
   * sequence is one sample.
   */
  readonly begins_R?: Value | undefined;
}

interface Sublayer<Shape> {
  /**
   * The parameters by the names that `apply` reads them by. Their own names continue the layer's (`self_attn.q_proj.weight`
   * in a mixer), and those of a feed-forward network the network's (`up_proj.weight`). Matrices have two axes of at least
   * two elements; all are fp32.
   */
  readonly weights: (shape: LayerShape, make: ParameterMakers) => Readonly<Record<string, Parameter>>;
  /**
   * h_RD → y_RD, normed rows to what is added to the residual stream. It is traced into a program, not run, and more than
   * once: it must make the same program each time. What it shows by
   * `tap`, rows x_RX by a name, is for passes that observe; there is none in an expert.
   */
  readonly apply: (h_RD: Value, weights: Readonly<Record<string, Value>>, shape: Shape, ops: Ops, tap?: Tap) => Value;
}

/** Mixes the tokens of a sequence; must not look ahead, nor into another sample. */
export type Mixer = Sublayer<LayerShape & SequenceShape>;

/** Works on each row by itself. */
export type FeedForward = Sublayer<LayerShape>;

/** What the layers of a model are made of. */
export interface Sublayers {
  readonly mixer: Mixer;
  readonly feedForward: FeedForward;
}
