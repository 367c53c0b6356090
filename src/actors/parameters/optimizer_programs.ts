/** Programs over flat memory: sums of gradients, their squares, and the AdamW update. One per length, shared by all roles. */
import { accumulate } from '../../kernels/ops/accumulate.ts';
import { adamw } from '../../kernels/ops/adamw.ts';
import { squareSums } from '../../kernels/ops/square_sums.ts';
import type { Program } from '../../kernels/program.ts';
import { f32, state, trace } from '../../kernels/trace.ts';

const known = new Map<string, Program>();

/** The program of `key`, made the first time that it is asked for: a device compiles the same program once. */
export function once(key: string, make: () => Program): Program {
  const program = known.get(key) ?? make();
  known.set(key, program);
  return program;
}

/** sum += addend, both f32 [length]. */
export function accumulateProgram(length: number): Program {
  return once(`accumulate/${length}`, () =>
    trace('accumulate', { sum: state([length]), addend: f32([length]) }, ({ sum, addend }) => {
      accumulate(sum, addend);
      return {};
    }),
  );
}

/** parts = Σ x² of every 1024 elements, x f32 [length]. */
export function squareSumsProgram(length: number): Program {
  return once(`square_sums/${length}`, () =>
    trace('square_sums', { x: f32([length]) }, ({ x }) => ({ parts: squareSums(x) })),
  );
}

/** AdamW in place over f32 [length]; `hyper` as in the op's docstring. */
export function adamwProgram(length: number, decay: boolean): Program {
  const specs = {
    parameters: state([length]),
    moment1: state([length]),
    moment2: state([length]),
    gradient: f32([length]),
    hyper: f32([8]),
  };
  return once(`adamw/${length}/${decay}`, () =>
    trace('adamw', specs, (w) => {
      adamw(w.parameters, w.moment1, w.moment2, w.gradient, w.hyper, { decay });
      return {};
    }),
  );
}
