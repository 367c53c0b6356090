/** Programs over flat memory: sums of gradients, and their squares. One per length, shared by all roles. */
import { accumulate } from '../../kernels/ops/accumulate.ts';
import { chunkSquares } from '../../kernels/ops/chunk_squares.ts';
import { squareSums } from '../../kernels/ops/square_sums.ts';
import type { Program } from '../../kernels/program.ts';
import { dynamic } from '../../kernels/shape.ts';
import { f32, state, trace } from '../../kernels/trace.ts';
import { SUM_PART_ELEMENTS } from '../../topology/index.ts';

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

/** Elements of a row of `accumulatePieceProgram`: what divides the length of every range of a flat arena. */
export const PIECE_ROW = 16;

/** sum += addend over the live `rows` of 16 elements, both f32 [rows, 16]: pieces of all lengths share it. */
export function accumulatePieceProgram(): Program {
  return once('accumulate piece', () => {
    const rows = dynamic('rows', SUM_PART_ELEMENTS / PIECE_ROW);
    const specs = { sum: state([rows, PIECE_ROW]), addend: f32([rows, PIECE_ROW]) };
    return trace('accumulate_piece', specs, ({ sum, addend }) => {
      accumulate(sum, addend);
      return {};
    });
  });
}

/** parts = Σ x² of every 1024 elements, x f32 [length]. */
export function squareSumsProgram(length: number): Program {
  return once(`square_sums/${length}`, () =>
    trace('square_sums', { x: f32([length]) }, ({ x }) => ({ parts: squareSums(x) })),
  );
}

/** sums = Σ x² of every 65,536 elements, as two words of float64 each, x f32 [length]. */
export function chunkSquaresProgram(length: number): Program {
  return once(`chunk_squares/${length}`, () =>
    trace('chunk_squares', { x: f32([length]) }, ({ x }) => ({ sums: chunkSquares(x) })),
  );
}
