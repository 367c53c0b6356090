/**
 * A parameter of a model: its Hugging Face name, shape and how it begins. Linear weights are stored [out, in].
 */
import { elements } from '../kernels/shape.ts';
import { constant, normal, ones, truncatedNormal, zeros, type Init } from './init.ts';

export interface Parameter {
  readonly name: string;
  readonly shape: readonly number[];
  readonly init: Init;
  /** Does weight decay apply? Matrices yes, norms no. */
  readonly decays: boolean;
  /** Is it a matrix from hidden vectors to hidden vectors? Embeddings, heads and routers are not: one side is a choice. */
  readonly isHidden: boolean;
  /** Of a bias that balances experts by their load, and not by a gradient: its step. */
  readonly balanceRate?: number;
}

/** Scale s of the initial standard deviation sqrt(s / fan_in) (arXiv 2101.03961 §2.4). */
const initScale = 0.1;

/** What is usual of a matrix, and can be told otherwise. */
export interface MatrixOptions {
  /** From hidden vectors to hidden vectors? Default: yes. */
  readonly isHidden?: boolean;
  /** How it begins; default: as its makers have it. */
  readonly init?: Init;
}

/** Makers of the usual parameters; whose they are, decides how matrices begin. */
export interface ParameterMakers {
  /** A matrix [out, in]. */
  readonly matrix: (name: string, outputs: number, inputs: number, options?: MatrixOptions) => Parameter;
  /** The scale of a norm, all ones. */
  readonly scale: (name: string, width: number) => Parameter;
  /** Zeros that are added, and do not decay. */
  readonly bias: (name: string, width: number) => Parameter;
}

/** Makers whose matrices begin by `initOf`, which is told how many inputs one has. */
export function makersOf(initOf: (inputs: number) => Init): ParameterMakers {
  const vector = (name: string, width: number, init: Init): Parameter => ({
    name,
    shape: [width],
    init,
    decays: false,
    isHidden: false,
  });
  return {
    matrix: (name, outputs, inputs, { isHidden = true, init = initOf(inputs) } = {}) => ({
      name,
      shape: [outputs, inputs],
      init,
      decays: true,
      isHidden,
    }),
    scale: (name, width) => vector(name, width, ones),
    bias: (name, width) => vector(name, width, zeros),
  };
}

/** Matrices with std sqrt(0.1 / in), as Switch Transformers begin. */
export const usualMakers = makersOf((inputs) => truncatedNormal(Math.sqrt(initScale / inputs)));
export const { matrix, scale, bias } = usualMakers;

/** Matrices of N(0, σ²); where no σ is given, the usual ones. */
export const makersWith = (std: number | null): ParameterMakers =>
  std === null ? usualMakers : makersOf(() => normal(std));

/** A bias for each of `count` choices, which moves by `rate` towards those that are taken too seldom. */
export function balanceBias(name: string, count: number, rate: number): Parameter {
  return { name, shape: [count], init: constant(0), decays: false, isHidden: false, balanceRate: rate };
}

/** Initial values: a pure function of seed, name and element index, so that placement cannot change them. */
export function initialValues({ name, shape, init }: Parameter, seed: number): Float32Array {
  const values = new Float32Array(elements(shape));
  init(values, seed, name);
  return values;
}
