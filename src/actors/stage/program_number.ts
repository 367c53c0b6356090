/** Programs are numbered to tell those of different shapes apart: those of one shape are one object, and have one number. */
import type { Program } from '../../kernels/program.ts';

const numbers = new WeakMap<Program, number>();
let count = 0;

export function numberOf(program: Program): number {
  const known = numbers.get(program) ?? count++;
  numbers.set(program, known);
  return known;
}
