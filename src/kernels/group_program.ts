/**
 * A program for the owners of a slab, and which of its values have rows: those lie one behind another by owner, and all others
 * each owner has for itself.
 */
import type { GroupBindings, GroupSize, Tensor } from './device.ts';
import { ProgramError, ShapeError } from './errors.ts';
import type { Binding, Program } from './program.ts';
import { elements, maxElements, type DynamicDim } from './shape.ts';
import type { Type } from './type.ts';

export interface GroupProgram {
  readonly program: Program;
  readonly size: GroupSize;
  /** The dimension of the rows. */
  readonly dim: DynamicDim;
  /** Inputs and outputs with rows, and those without. */
  readonly slab: readonly Omit<Binding, 'role'>[];
  readonly own: readonly Omit<Binding, 'role'>[];
}

const known = new WeakMap<Program, Map<string, GroupProgram>>();

/** The same for the same program and size. Throws `ProgramError` for a program without rows, or with several dimensions. */
export function groupProgram(program: Program, size: GroupSize): GroupProgram {
  const key = `${size.count} ${size.rows} ${size.each}`;
  const bySize = known.get(program) ?? new Map<string, GroupProgram>();
  known.set(program, bySize);
  const group = bySize.get(key) ?? grouped(program, size);
  bySize.set(key, group);
  return group;
}

function grouped(program: Program, size: GroupSize): GroupProgram {
  const { name, inputs, outputs, nodes } = program;
  const types = [...inputs, ...nodes.flatMap((node) => node.outputs.map((value) => ({ value })))];
  const dims = new Map(types.flatMap(({ value }) => dynamicOf(value.type)).map((dim) => [dim.name, dim]));
  const [dim] = dims.values();
  if (dim === undefined || dims.size > 1)
    throw new ProgramError(name, `has ${dims.size} dynamic dimensions; a group's has one, the rows of an owner`);
  const all = [...inputs, ...outputs];
  const hasRows = ({ value: { type } }: (typeof all)[number]): boolean => dynamicOf(type).length > 0;
  const slab = all.filter(hasRows);
  const odd = slab.find(({ value: { type } }) => typeof type.shape[0] === 'number' || dynamicOf(type).length > 1);
  if (odd !== undefined) throw new ProgramError(name, `${odd.name} has its rows elsewhere than in its first dimension`);
  return { program, size, dim, slab, own: all.filter((binding) => !hasRows(binding)) };
}

const dynamicOf = ({ shape }: Type): DynamicDim[] => shape.filter((dim) => typeof dim !== 'number');

/** First row of each owner, then how many all have. Throws `ShapeError` where that is not what the group was made for. */
export function firstRows({ program, size, dim }: GroupProgram, rows: GroupBindings['rows']): number[] {
  const where = `group of ${program.name}`;
  if (rows.length !== size.count)
    throw new ShapeError(where, `rows of ${rows.length} owners, and it has ${size.count}`);
  const first = [0];
  for (let owner = 0; owner < rows.length; owner++) {
    const count = rows[owner];
    if (count > dim.max) throw new ShapeError(where, `owner ${owner} has ${count} rows, at most ${dim.max}`);
    first.push(first[owner] + count);
  }
  const all = first[rows.length];
  if (all > size.rows) throw new ShapeError(where, `owners have ${all} rows, the slab has ${size.rows}`);
  return first;
}

/** Throws `ProgramError` for a tensor of the slab that is of another type, or has not so many rows. */
export function checkSlab(
  { program }: GroupProgram,
  { name, value: { type } }: GroupProgram['slab'][number],
  { dtype, shape }: Tensor,
  rows: number,
): void {
  if (dtype !== type.dtype) throw new ProgramError(program.name, `${name} is ${dtype}, needs ${type.dtype}`);
  const needed = rows * maxElements(type.shape.slice(1));
  const has = elements(shape);
  if (needed > has) throw new ProgramError(program.name, `${name} has ${has} elements, needs ${needed}`);
}
