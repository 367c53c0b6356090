/**
 * Norms of rows: RMSNorm (arXiv 1910.07467), LayerNorm (arXiv 1607.06450), and LayerNorm1P, whose scale is stored as its distance
 * from 1 and so decays towards 1 (Nemotron-4; NVIDIA NeMo calls it `layernorm_zero_centered_gamma`). Shape suffixes: see `model.ts`.
 */
import type { Value } from '../../kernels/graph.ts';
import { layerNorm } from '../../kernels/ops/layer_norm.ts';
import { rmsNorm } from '../../kernels/ops/rms_norm.ts';
import { shift } from '../../kernels/ops/shift.ts';
import { bias, scale, type Parameter } from '../parameter.ts';
import { prefixed, weightsUnder } from '../weights_of.ts';
import type { Weights } from '../model.ts';
import type { Values } from '../../kernels/trace.ts';

export interface Norm {
  /** Its parameters for rows of a width, by the names that `apply` reads them by; `weight` and `bias` follow its place. */
  readonly weights: (width: number) => Readonly<Record<string, Parameter>>;
  /** x_RD → normed rows. */
  readonly apply: (x_RD: Value, weights: Readonly<Record<string, Value>>) => Value;
}

export const rmsNormOf = (eps: number): Norm => ({
  weights: (width) => ({ D: scale('weight', width) }),
  apply: (x_RD, { D }) => rmsNorm(x_RD, D, eps),
});

export const layerNormOf = (eps: number): Norm => ({
  weights: (width) => ({ D: scale('weight', width), bias_D: bias('bias', width) }),
  apply: (x_RD, { D, bias_D }) => layerNorm(x_RD, D, bias_D, eps),
});

export const layerNorm1pOf = (eps: number): Norm => ({
  weights: (width) => ({ D: bias('weight', width), bias_D: bias('bias', width) }),
  apply: (x_RD, { D, bias_D }) => layerNorm(x_RD, shift(D, 1), bias_D, eps),
});

/** Leaves rows as they are. */
export const noNorm: Norm = { weights: () => ({}), apply: (x_RD) => x_RD };

/** The weights of a norm in a program that has others: under `prefix`, its parameters at `place`. */
export const normWeights = (norm: Norm, prefix: string, place: string, width: number): Weights =>
  prefixed(prefix, place, norm.weights(width));

/** A norm with those of a program's weights that are under `prefix`. */
export const normed = (norm: Norm, prefix: string, x_RD: Value, values: Values<string>): Value =>
  norm.apply(x_RD, weightsUnder(prefix, values));
