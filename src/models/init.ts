/**
 * An init fills a parameter's initial values: each element is a pure function of seed, parameter name and element index, so that
 * placement cannot change it. What a family's paper asks for is one of these; logarithms and exponentials are taken in float64.
 */
import { fillNormal, fillTruncatedNormal, fillUniform } from '../kernels/random.ts';

/** Fills `values`, row by row, for the parameter `name` of a model with this seed. */
export type Init = (values: Float32Array, seed: number, name: string) => void;

/** N(0, std²), as GPT-2 and its kin begin: Mixtral and Mamba's embedding 0.02, Nemotron-4 0.0134 (arXiv 2402.16819). */
export function normal(std: number): Init {
  return (values, seed, name) => fillNormal(values, seed, name, std);
}

/** N(0, std²) cut at two deviations and not rescaled, as Switch Transformers begin (arXiv 2101.03961 §2.4). */
export function truncatedNormal(std: number): Init {
  return (values, seed, name) => fillTruncatedNormal(values, seed, name, std);
}

/** Evenly from −bound to bound; with 1/√fan_in what PyTorch gives a linear layer, and so Mamba's projections. */
export function uniform(bound: number): Init {
  return (values, seed, name) => fillUniform(values, seed, name, -bound, bound);
}

/** The same value everywhere. */
export function constant(value: number): Init {
  return (values) => values.fill(value);
}

/** Scales of norms, and Mamba's D. */
export const ones = constant(1);

/** Biases, and the scales of norms that are stored as offsets from 1 (LayerNorm1P). */
export const zeros = constant(0);

/** log 1, log 2 ... log `width` along every row: Mamba's A_log, of which −exp is the real S4D (arXiv 2312.00752 §3.6). */
export function logRange(width: number): Init {
  return (values) => {
    for (let i = 0; i < values.length; i++) values[i] = Math.log(1 + (i % width));
  };
}

export interface StepSizes {
  readonly least: number;
  readonly most: number;
  /** What smaller ones are raised to. */
  readonly floor: number;
}

/** What softplus makes Δ of, Δ log-uniform between two step sizes: the bias of Mamba's Δ (arXiv 2312.00752 §3.6). */
export function inverseSoftplus({ least, most, floor }: StepSizes): Init {
  return (values, seed, name) => {
    fillUniform(values, seed, name, Math.log(least), Math.log(most));
    for (let i = 0; i < values.length; i++) {
      const step = Math.max(Math.exp(values[i]), floor);
      values[i] = step + Math.log(-Math.expm1(-step));
    }
  };
}
