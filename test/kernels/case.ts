/** One op as a small program over R rows, and how such a program is made of a function of values. */
import * as k from '../../src/kernels/index.ts';
import { Graph } from '../../src/kernels/graph.ts';
import type { Dim, InputSpec, Program, Value } from '../../src/kernels/index.ts';
import type { Fill } from './kit.ts';

export interface Case {
  readonly name: string;
  readonly rows: 'dynamic' | 'static';
  readonly fill: Fill;
  readonly build: (rows: Dim) => Program;
}

export type Specs = Readonly<Record<string, InputSpec>>;
export type Body = (inputs: Readonly<Record<string, Value>>) => Value | Readonly<Record<string, Value>>;

function make(rows: Case['rows'], name: string, specs: (rows: Dim) => Specs, body: Body, fill: Fill = {}): Case {
  return {
    name,
    rows,
    fill,
    build: (dim) =>
      k.trace(name, specs(dim), (inputs) => {
        const made = body(inputs);
        return isValue(made) ? { y: made } : made;
      }),
  };
}

function isValue(made: ReturnType<Body>): made is Value {
  return made.graph instanceof Graph;
}

export const dynamicRows = make.bind(null, 'dynamic');
export const staticRows = make.bind(null, 'static');

export const positive = (i: number): number => 0.5 + ((i * 37) % 101) / 100;

/** Of sequences of six tokens: samples of two, three, four or six tokens, each sequence its own. */
export const beginsFill: Fill = {
  begins: (i) => {
    const sample = [3, 2, 6, 4][Math.floor(i / 6) % 4];
    return Math.floor((i % 6) / sample) * sample;
  },
};
