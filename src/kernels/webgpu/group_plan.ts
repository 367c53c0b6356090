/**
 * Where the owners of a group have the values of a program: those with rows one behind another, as they are in the slab, all
 * others a part each. What is scratch is laid out for all owners at once or, where that is more than the device has, for one.
 */
import { bytesPerElement } from '../dtype.ts';
import { ProgramError } from '../errors.ts';
import type { GroupProgram } from '../group_program.ts';
import { maxElements } from '../shape.ts';
import type { Typed } from '../type.ts';
import { elementBytes, type Pass } from './pass.ts';
import type { PlannedPasses } from './plan.ts';
import { boundBytes } from './tensor.ts';

/** Where the owner's part of a buffer begins, by its number and its first row. All in elements of the binding. */
export type Origin =
  | { readonly kind: 'rows'; readonly width: number }
  | { readonly kind: 'part'; readonly step: number }
  /** Base and step are known when tensors are bound. */
  | { readonly kind: 'tensor' }
  | { readonly kind: 'shared' };

export class GroupPlan {
  readonly group: GroupProgram;
  /** Whether scratch is laid out for all owners. */
  readonly isAtOnce: boolean;
  private readonly slab: ReadonlySet<Typed>;
  private readonly own: ReadonlySet<Typed>;

  /** Throws `ProgramError` where rows of the slab are no whole words. */
  constructor(group: GroupProgram, isAtOnce: boolean) {
    for (const { name, value } of group.slab) {
      const bytes = rowBytes(value);
      if (bytes % 4 !== 0)
        throw new ProgramError(group.program.name, `rows of ${name} have ${bytes} bytes, which are no whole words`);
    }
    this.group = group;
    this.isAtOnce = isAtOnce;
    this.slab = new Set(group.slab.map(({ value }) => value));
    this.own = new Set(group.own.map(({ value }) => value));
  }

  /** Bytes of an intermediate, of all owners that are run at once. */
  scratchBytes(value: Typed): number {
    const { size } = this.group;
    if (!this.isAtOnce) return maxBytes(value);
    return hasRowsFirst(value) ? boundBytes(size.rows * rowBytes(value)) : size.count * maxBytes(value);
  }

  /** Whether a value lies by rows, not by owners. */
  isByRows(root: Typed): boolean {
    return this.slab.has(root) || (this.isAtOnce && !this.own.has(root) && hasRowsFirst(root));
  }

  /** Bytes from an owner's part of a scratch buffer to the next one's. */
  scratchStep(root: Typed): number {
    return this.isAtOnce ? maxBytes(root) : 0;
  }

  origins({ bindings }: Pass, { rootOf, tables }: PlannedPasses): Origin[] {
    return bindings.map(({ value, element }): Origin => {
      const root = rootOf(value);
      if (tables.has(root)) return { kind: 'shared' };
      const bytes = elementBytes[element];
      // Who reads several elements at once has rows that are made of as many.
      if (this.isByRows(root)) return { kind: 'rows', width: rowBytes(root) / bytes };
      return this.own.has(root) ? { kind: 'tensor' } : { kind: 'part', step: this.scratchStep(root) / bytes };
    });
  }
}

const maxBytes = ({ type: { dtype, shape } }: Typed): number => boundBytes(maxElements(shape) * bytesPerElement[dtype]);

/** Bytes of one index of the first axis. */
export const rowBytes = ({ type: { dtype, shape } }: Typed): number =>
  maxElements(shape.slice(1)) * bytesPerElement[dtype];

/** Rows are its first axis, and no other; of packed bf16 they are whole words. */
function hasRowsFirst(value: Typed): boolean {
  const [first, ...others] = value.type.shape;
  const isFirst = first !== undefined && typeof first !== 'number';
  return isFirst && others.every((dim) => typeof dim === 'number') && rowBytes(value) % 4 === 0;
}
