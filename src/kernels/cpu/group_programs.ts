/**
 * What the CPU device compiles for a group: the program alone and, where owners are expected to have few rows, copies of it
 * side by side, in numbers that add up to any; and room for owners with one row, which must not run as two within a slab.
 */
import { bytesPerElement } from '../dtype.ts';
import { Graph, type Value } from '../graph.ts';
import type { GroupProgram } from '../group_program.ts';
import type { Program } from '../program.ts';
import { align } from '../ranges.ts';
import { elements } from '../shape.ts';
import { sideBySide } from './side_by_side.ts';
import type { Type } from '../type.ts';
import type { ScratchPlan } from './scratch.ts';

/** Rows up to which the price of a run is more than that of its arithmetic. */
const BESIDE_ROWS = 32;

/** Owners that one program runs at most: a function of generated code has room for the addresses of as many. */
const MOST_BESIDE = 32;

export interface GroupPrograms {
  readonly alone: Program;
  /** By the number of owners that each runs, the most first. */
  readonly beside: ReadonlyMap<number, Program>;
  /** Most rows of an owner that runs beside others. */
  readonly fewRows: number;
}

const made = new WeakMap<Program, Map<number, Program>>();

/** The same programs for the same group, so that a device compiles them once. */
export function groupPrograms({ program, size: { count, each } }: GroupProgram): GroupPrograms {
  if (each > BESIDE_ROWS || count === 1) return { alone: program, beside: new Map(), fewRows: 0 };
  const known = made.get(program) ?? new Map<number, Program>();
  made.set(program, known);
  const besideOf = (owners: number): Program => {
    const beside = known.get(owners) ?? sideBySide(program, owners, BESIDE_ROWS);
    known.set(owners, beside);
    return beside;
  };
  const most = Math.min(count, MOST_BESIDE);
  const powers = [16, 8, 4, 2].filter((owners) => owners < most);
  return {
    alone: program,
    beside: new Map([most, ...powers].map((owners) => [owners, besideOf(owners)])),
    fewRows: BESIDE_ROWS,
  };
}

/** Owners that run at once: up to `most` of those with `fewRows` rows or fewer, each of the others alone. */
export function batchesOf(rows: ArrayLike<number>, fewRows: number, most: number): number[][] {
  const [few, none]: number[][][] = [[], []];
  const many: number[][] = [];
  const addTo = (batches: number[][], owner: number): void => {
    const last = batches.at(-1);
    if (last !== undefined && last.length < most) last.push(owner);
    else batches.push([owner]);
  };
  for (let owner = 0; owner < rows.length; owner++) {
    if (rows[owner] === 0) addTo(none, owner);
    else if (rows[owner] <= fewRows) addTo(few, owner);
    else many.push([owner]);
  }
  return [...few, ...many, ...none];
}

/** Two rows of each tensor of a slab, for as many owners as run at once; behind what the programs themselves need. */
export interface PairRoom {
  readonly plan: ScratchPlan;
  /** By owner of a program, then by name of an input or output with rows. */
  readonly values: readonly ReadonlyMap<string, Value>[];
}

/** `programBytes`: scratch of the programs. */
export function pairRoom({ slab }: GroupProgram, { beside }: GroupPrograms, programBytes: number): PairRoom {
  const graph = new Graph();
  const offsets = new Map<Value, number>();
  let bytes = programBytes;
  const values = Array.from({ length: Math.max(1, ...beside.keys()) }, () => {
    const pairs = slab.map(({ name, value }) => {
      const type = pairOf(value.type);
      const pair = graph.value(type);
      offsets.set(pair, bytes);
      bytes += align(elements(type.shape) * bytesPerElement[type.dtype]);
      return [name, pair] as const;
    });
    return new Map(pairs);
  });
  return { plan: { bytes, offsets }, values };
}

/** What serves several programs, since one runs at a time. */
export const scratchBytesOf = (programs: readonly { readonly scratchBytes: number }[]): number =>
  programs.reduce((most, { scratchBytes }) => Math.max(most, scratchBytes), 0);

const pairOf = ({ dtype, shape }: Type): Type & { readonly shape: readonly number[] } => ({
  dtype,
  shape: [2, ...shape.slice(1).map(Number)],
});
