/**
 * A group of the CPU device: views of the slab by owner, over programs that run owners with few rows side by side and others
 * alone. An owner with one row runs in a room of two, since the second would be its neighbour's; one without runs by the
 * reference, which makes what has no rows.
 */
import type { Bindings, GroupBindings, GroupExecutable, GroupSize, Tensor } from '../device.ts';
import type { Value } from '../graph.ts';
import { checkSlab, firstRows, type GroupProgram } from '../group_program.ts';
import type { Program } from '../program.ts';
import { elements } from '../shape.ts';
import { nameBeside } from './side_by_side.ts';
import type { CpuExecutable } from './executable.ts';
import { batchesOf, type GroupPrograms, type PairRoom } from './group_programs.ts';
import type { JobQueue } from './job_queue.ts';
import type { ScratchPlan } from './scratch.ts';
import { cpuTensor, type CpuTensor } from './tensor.ts';

export interface CpuGroupParts {
  readonly alone: CpuExecutable;
  readonly beside: ReadonlyMap<number, CpuExecutable>;
  readonly fewRows: GroupPrograms['fewRows'];
  readonly pairs: PairRoom;
  readonly scratch: (plan: ScratchPlan) => ReadonlyMap<Value, CpuTensor>;
  readonly queue: JobQueue;
}

/** A tensor of the slab, and elements of a row of it. */
interface SlabTensor {
  readonly name: string;
  /** The first name that the tensor has. */
  readonly pair: string;
  readonly tensor: CpuTensor;
  readonly rest: readonly number[];
  readonly width: number;
}

/** An owner in a run, by its place among those that run at once. */
interface Placed {
  readonly owner: number;
  readonly at: number;
  readonly first: number;
  readonly rows: number;
}

export class CpuGroup implements GroupExecutable {
  readonly program: Program;
  readonly size: GroupSize;
  readonly scratchBytes: number;
  private readonly group: GroupProgram;
  private readonly parts: CpuGroupParts;
  /** What each place of the programs side by side calls inputs, outputs and rows. */
  private readonly names: readonly ReadonlyMap<string, string>[];
  private readonly outputs: ReadonlySet<string>;
  /** Whether it makes anything for owners without rows. */
  private readonly makesMore: boolean;

  constructor(group: GroupProgram, parts: CpuGroupParts) {
    const { program, size, slab, own, dim } = group;
    this.program = program;
    this.size = size;
    this.group = group;
    this.parts = parts;
    this.scratchBytes = parts.pairs.plan.bytes;
    const all = new Set([dim.name, ...slab.map(({ name }) => name), ...own.map(({ name }) => name)]);
    this.names = parts.pairs.values.map((_, at) => new Map([...all].map((name) => [name, nameBeside(name, at)])));
    this.outputs = new Set(program.outputs.map(({ name }) => name));
    this.makesMore = own.some(({ name }) => this.outputs.has(name)) || program.nodes.some((n) => n.writes.length > 0);
  }

  batches(rows: GroupBindings['rows']): readonly (readonly number[])[] {
    return batchesOf(rows, this.parts.fewRows, this.parts.pairs.values.length);
  }

  run(given: GroupBindings): Promise<void> {
    return this.parts.queue.do(() => this.runNow(given, this.batches(given.rows)));
  }

  runLater(given: GroupBindings, batch: readonly number[]): Promise<void> {
    return this.parts.queue.doLater(() => this.runNow(given, [batch]));
  }

  private async runNow({ slab, own, rows }: GroupBindings, batches: readonly (readonly number[])[]): Promise<void> {
    const first = firstRows(this.group, rows);
    const tensors = this.slabOf(slab, first[rows.length]);
    for (const batch of batches) {
      const owners = this.makesMore ? batch : batch.filter((owner) => rows[owner] > 0);
      for (let next = 0; next < owners.length;) {
        const end = next + this.countFrom(owners, next, rows);
        const placed = owners
          .slice(next, end)
          .map((owner, at): Placed => ({ owner, at, first: first[owner], rows: rows[owner] }));
        await this.runAtOnce(placed, tensors, own);
        next = end;
      }
    }
  }

  /** How many owners from `next` on one program runs. */
  private countFrom(owners: readonly number[], next: number, rows: ArrayLike<number>): number {
    const { beside, fewRows } = this.parts;
    let few = next;
    while (few < owners.length && rows[owners[few]] > 0 && rows[owners[few]] <= fewRows) few++;
    for (const count of beside.keys()) if (count <= few - next) return count;
    return 1;
  }

  private async runAtOnce(
    placed: readonly Placed[],
    tensors: readonly SlabTensor[],
    own: GroupBindings['own'],
  ): Promise<void> {
    const { alone, beside } = this.parts;
    const { dim } = this.group;
    const singles = placed.filter(({ rows }) => rows === 1);
    if (singles.length > 0) this.copyPairs(singles, tensors, 'in');
    if (placed.length === 1) {
      const [{ owner, rows }] = placed;
      await alone.runNow({ ...own(owner), ...this.rowsOf(placed[0], tensors) }, { [dim.name]: rows });
    } else {
      const bindings: Record<string, Tensor> = {};
      const live: Record<string, number> = {};
      for (const each of placed) {
        const names = this.names[each.at];
        const tensorsOf = { ...own(each.owner), ...this.rowsOf(each, tensors) };
        for (const name in tensorsOf) bindings[names.get(name) ?? name] = tensorsOf[name];
        live[names.get(dim.name)!] = each.rows;
      }
      await beside.get(placed.length)!.runNow(bindings, live);
    }
    if (singles.length > 0) this.copyPairs(singles, tensors, 'out');
  }

  /** The rows of an owner, by name: part of the slab, or a room of two. */
  private rowsOf({ at, first, rows }: Placed, tensors: readonly SlabTensor[]): Record<string, CpuTensor> {
    const views: Record<string, CpuTensor> = {};
    for (const { name, pair, tensor, rest, width } of tensors) {
      // Who reads and writes one tensor is to see that it is one.
      views[name] = views[pair] ?? (rows === 1 ? this.pair(at, pair) : tensor.part(first * width, [rows, ...rest]));
    }
    return views;
  }

  private copyPairs(singles: readonly Placed[], tensors: readonly SlabTensor[], way: 'in' | 'out'): void {
    for (const { name, pair, tensor, width } of tensors) {
      if (this.outputs.has(name) !== (way === 'out')) continue;
      for (const { at, first } of singles) {
        const room = this.pair(at, pair).data;
        if (way === 'in') room.set(tensor.data.subarray(first * width, (first + 1) * width));
        else tensor.data.set(room.subarray(0, width), first * width);
      }
    }
  }

  private pair(at: number, name: string): CpuTensor {
    const { scratch, pairs } = this.parts;
    return scratch(pairs.plan).get(pairs.values[at].get(name)!)!;
  }

  /** Throws `ProgramError` for a tensor of another type or too small: views of it would be of its neighbours. */
  private slabOf(slab: Bindings, rows: number): SlabTensor[] {
    const pairs = new Map<CpuTensor, string>();
    return this.group.slab.map((binding) => {
      const { name, value } = binding;
      const tensor = cpuTensor(this.program.name, name, slab[name]);
      checkSlab(this.group, binding, tensor, rows);
      const pair = pairs.get(tensor) ?? name;
      pairs.set(tensor, pair);
      const rest = value.type.shape.slice(1).map(Number);
      return { name, pair, tensor, rest, width: elements(rest) };
    });
  }
}
