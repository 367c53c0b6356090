/** Operands that an op may be without. Those that it has lie behind the others, in order; its attributes say which. */

/** Of the operands from number `first` on each that `has` says is there, undefined for others. */
export function given<T>(operands: readonly T[], first: number, has: readonly boolean[]): readonly (T | undefined)[] {
  let next = first;
  return has.map((is) => (is ? operands[next++] : undefined));
}
