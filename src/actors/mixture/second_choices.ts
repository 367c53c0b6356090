/** Second choices at random (arXiv 2006.16668 §2.2): a number for each choice after the first, by what it is for. */
import { draw, streamOf } from '../../kernels/random.ts';
import type { Mixture } from '../../models/model.ts';
import type { Unit } from '../protocol/pass.ts';
import type { Chance } from './admission.ts';

/** Distinguishes second choices from other uses of the seed. */
const purpose = 2;

/** The chances of a microbatch; null where all choices are made, as beside training. */
export function chanceOf(unit: Unit, { moe, number }: Pick<Mixture, 'moe' | 'number'>, seed: number): Chance {
  if (unit.kind !== 'train' || moe.second_choice === 'always') return null;
  const { a, b } = streamOf([seed, purpose, number, unit.step, unit.microbatch]);
  return (row, choice) => draw(a, b, row * moe.top_k + choice) / 2 ** 32;
}
