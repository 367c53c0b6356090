/**
 * The memory of a worker that nobody has: ranges, scratch and tables, placed where the `cpu` device would place them. It is
 * asked for by **takings**, which a rehearsal of one role gives and which hold for all roles that are alike; what repeats
 * many times is booked at once, as soon as no hole that scratch left behind could take any of it.
 */
import { bytesPerElement } from '../dtype.ts';
import type { GroupProgram } from '../group_program.ts';
import type { Program } from '../program.ts';
import { BOUNDLESS_BYTES, rangeBytes, Ranges, type Range } from '../ranges.ts';
import type { Table } from '../table.ts';
import { groupPrograms, pairRoom, scratchBytesOf } from './group_programs.ts';
import { planned } from './planned.ts';
import { hasWasm } from './wasm/support.ts';

/** What is asked of a worker's memory: a range, scratch and tables of a program or a group, or some takings, `count` times. */
export type Taking =
  | { readonly kind: 'range'; readonly what: string; readonly bytes: number }
  | { readonly kind: 'program'; readonly program: Program }
  | { readonly kind: 'group'; readonly group: GroupProgram }
  | { readonly kind: 'repeat'; readonly count: number; readonly takings: readonly Taking[] };

export class DryMemory {
  private readonly ranges = new Ranges(BOUNDLESS_BYTES);
  private readonly compiled = new Set<Program>();
  private readonly tables = new Set<string>();
  private scratch: Range | null = null;

  /** Bytes of all ranges, of scratch and of tables. */
  get usedBytes(): number {
    return this.ranges.usedBytes;
  }

  get scratchBytes(): number {
    return this.scratch?.bytes ?? 0;
  }

  /** Least memory of a real device that has room for all of this: `usedBytes` and the holes that are left between. */
  get peakBytes(): number {
    return this.ranges.peakBytes;
  }

  /** Throws `OutOfSliceMemory` in the name of `owner` where it is more than can be counted. */
  take(owner: string, taking: Taking): void {
    if (taking.kind === 'range') this.ranges.take(owner, taking.what, taking.bytes);
    else if (taking.kind === 'program') this.compile(taking.program);
    else if (taking.kind === 'group') this.compileGroup(taking.group);
    else this.takeRepeated(owner, taking);
  }

  private takeRepeated(owner: string, { count, takings }: Extract<Taking, { kind: 'repeat' }>): void {
    for (let done = 0; done < count; done++) {
      const { total, least } = sizeOf(takings);
      // Programs are known after the first time.
      if (done > 0 && least > this.ranges.largestHole) {
        if (total > 0) this.ranges.take(owner, 'what repeats', total * (count - done));
        return;
      }
      for (const taking of takings) this.take(owner, taking);
    }
  }

  private compile(program: Program): void {
    if (this.compiled.has(program)) return;
    this.compiled.add(program);
    const { scratchBytes, tables } = measured(program);
    this.reserveScratch(program.name, scratchBytes);
    for (const { name, length } of tables) {
      if (this.tables.has(name)) continue;
      this.tables.add(name);
      this.ranges.take('device', `table ${name}`, length * bytesPerElement.f32);
    }
  }

  private compileGroup(group: GroupProgram): void {
    const { programs, scratchBytes } = measuredGroup(group);
    for (const program of programs) this.compile(program);
    this.reserveScratch(group.program.name, scratchBytes);
  }

  /** As `CpuDevice` does. */
  private reserveScratch(program: string, bytes: number): void {
    if (bytes <= this.scratchBytes) return;
    if (this.scratch !== null) this.ranges.give(this.scratch);
    this.scratch = this.ranges.take('device', `scratch of program ${program}`, bytes);
  }
}

interface Size {
  readonly total: number;
  readonly least: number;
}

/** Bytes of all ranges of some takings, and of the least of them. */
function sizeOf(takings: readonly Taking[]): Size {
  let [total, least] = [0, Infinity];
  for (const taking of takings) {
    const size = sizeOfOne(taking);
    total += size.total;
    least = Math.min(least, size.least);
  }
  return { total, least };
}

function sizeOfOne(taking: Taking): Size {
  if (taking.kind === 'program' || taking.kind === 'group') return { total: 0, least: Infinity };
  if (taking.kind === 'repeat') {
    const { total, least } = sizeOf(taking.takings);
    return { total: total * taking.count, least };
  }
  const bytes = rangeBytes(taking.bytes);
  return { total: bytes, least: bytes };
}

export interface MeasuredProgram {
  readonly scratchBytes: number;
  readonly tables: readonly Table[];
}

const known = new WeakMap<Program, MeasuredProgram>();

/** What a program takes of a worker's memory: measured once, for all dry devices. */
export function measured(program: Program): MeasuredProgram {
  const before = known.get(program);
  if (before !== undefined) return before;
  const { scratch, tables } = planned(program, hasWasm());
  const made = { scratchBytes: scratch.bytes, tables };
  known.set(program, made);
  return made;
}

/** The programs of a group in the order in which they are compiled, and the scratch that it takes with them. */
export function measuredGroup(group: GroupProgram): { programs: readonly Program[]; scratchBytes: number } {
  const all = groupPrograms(group);
  const programs = [all.alone, ...all.beside.values()];
  return { programs, scratchBytes: pairRoom(group, all, scratchBytesOf(programs.map(measured))).plan.bytes };
}
