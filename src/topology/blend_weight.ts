/** A blend weight is a number among others, or a percentage of all, which is that number too. */

/** The number of a percentage such as `70%`; null where the weight is none. */
export function percentOf(weight: number | string): number | null {
  return typeof weight === 'string' ? Number.parseFloat(weight) : null;
}

/** The weight as a number. */
export const weightOf = (weight: number | string): number => percentOf(weight) ?? Number(weight);
