/**
 * A parameter of a model: its Hugging Face name, shape and how it begins. Linear weights are stored [out, in].
 */
import { elements } from '../kernels/shape.ts';
import { constant, ones, truncatedNormal, type Init } from './init.ts';

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

/** A matrix [out, in] with std sqrt(0.1 / in), from hidden vectors to hidden vectors unless told otherwise. */
export function matrix(name: string, outputs: number, inputs: number, { isHidden = true } = {}): Parameter {
  return {
    name,
    shape: [outputs, inputs],
    init: truncatedNormal(Math.sqrt(initScale / inputs)),
    decays: true,
    isHidden,
  };
}

/** The scale of a norm, all ones. */
export function scale(name: string, width: number): Parameter {
  return { name, shape: [width], init: ones, decays: false, isHidden: false };
}

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
