/**
 * A program as the WebGPU device runs it: its passes in order, which values are others under another shape, and which
 * buffers its intermediates share.
 */
import { bytesPerElement } from '../dtype.ts';
import { ProgramError } from '../errors.ts';
import { Graph, type Node } from '../graph.ts';
import type { Program } from '../program.ts';
import { maxElements } from '../shape.ts';
import type { Table } from '../table.ts';
import type { Typed } from '../type.ts';
import { groupsOf } from './groups.ts';
import { Lowering, type AdapterTraits } from './lowering.ts';
import type { Pass } from './pass.ts';
import { boundBytes } from './tensor.ts';
import { chainPass } from './wgsl/chain.ts';
import { epilogueOf } from './wgsl/epilogue.ts';

export interface PlannedPasses {
  readonly passes: readonly Pass[];
  /** The value whose buffer a value is in. */
  readonly rootOf: (value: Typed) => Typed;
  /** The scratch buffer of each value that is neither given nor asked for. */
  readonly slots: ReadonlyMap<Typed, number>;
  readonly tables: ReadonlyMap<Typed, Table>;
  /** Bytes of each scratch buffer, the largest first. */
  readonly slotBytes: readonly number[];
}

/** Bytes that an intermediate takes of a scratch buffer. */
export type ScratchBytes = (value: Typed) => number;

/** Buffers of one chain at most. */
export interface PassLimits {
  readonly buffers: number;
}

/** Throws `ProgramError` for an op that has no lowering for its types. */
export function planPasses(
  program: Program,
  traits: AdapterTraits,
  limits: PassLimits,
  bytesOf: ScratchBytes = bytesAtMost,
): PlannedPasses {
  const graph = program.nodes[0]?.outputs[0]?.graph ?? program.inputs[0]?.value.graph;
  const fork = graph?.fork() ?? new Graph();
  const lowering = new Lowering((type) => fork.value(type), traits);
  // A driver for the processor takes long to compile an epilogue, which is written out for each element of a tile.
  const takesEpilogue = (node: Node): boolean => node.takesEpilogue && !traits.isSerial;
  for (const { head, chain, stored } of groupsOf(program, limits.buffers, takesEpilogue)) {
    if (head === null) chainPass(lowering, chain, stored);
    else if (head.wgsl === null) throw new ProgramError(program.name, `${head.op} has no WGSL lowering`);
    else if (chain.length === 0) head.wgsl(lowering, head.inputs, head.outputs);
    else head.wgsl(lowering, head.inputs, head.outputs, epilogueOf(head.outputs[0], chain, stored));
  }
  const rootOf = (value: Typed): Typed => {
    const input = lowering.aliases.get(value);
    return input === undefined ? value : rootOf(input);
  };
  const { passes, tables } = lowering;
  const plan = { program, passes, rootOf, isKept: (value: Typed) => tables.has(value), bytesOf };
  return { passes, rootOf, tables, ...planSlots(plan) };
}

interface SlotOptions {
  readonly program: Program;
  readonly passes: readonly Pass[];
  readonly rootOf: (value: Typed) => Typed;
  readonly isKept: (value: Typed) => boolean;
  readonly bytesOf: ScratchBytes;
}

const bytesAtMost: ScratchBytes = ({ type: { shape, dtype } }) =>
  boundBytes(maxElements(shape) * bytesPerElement[dtype]);

/** A value that is not bound lives from the pass that writes it first to the one that reads it last. */
function planSlots({
  program,
  passes,
  rootOf,
  isKept,
  bytesOf,
}: SlotOptions): Pick<PlannedPasses, 'slots' | 'slotBytes'> {
  const bound = new Set<Typed>([...program.inputs, ...program.outputs].map((b) => b.value));
  const lives = new Map<Typed, { first: number; last: number }>();
  passes.forEach(({ bindings }, at) => {
    for (const { value } of bindings) {
      const root = rootOf(value);
      if (bound.has(root) || isKept(root)) continue;
      const life = lives.get(root) ?? { first: at, last: at };
      life.last = at;
      lives.set(root, life);
    }
  });
  // What is asked for under another shape is copied at the end.
  for (const { value } of program.outputs) {
    const life = lives.get(rootOf(value));
    if (life !== undefined) life.last = passes.length;
  }
  const slots: { bytes: number; freeAfter: number; values: Typed[] }[] = [];
  for (const [value, { first, last }] of lives) {
    const bytes = bytesOf(value);
    const free = slots.filter((slot) => slot.freeAfter < first);
    const roomy = free.filter((slot) => slot.bytes >= bytes).sort((a, b) => a.bytes - b.bytes)[0];
    const slot = roomy ?? free.sort((a, b) => b.bytes - a.bytes)[0] ?? { bytes: 0, freeAfter: -1, values: [] };
    if (slot.freeAfter === -1) slots.push(slot);
    slot.bytes = Math.max(slot.bytes, bytes);
    slot.freeAfter = last;
    slot.values.push(value);
  }
  slots.sort((a, b) => b.bytes - a.bytes);
  return {
    slots: new Map(slots.flatMap(({ values }, i) => values.map((value) => [value, i] as const))),
    slotBytes: slots.map(({ bytes }) => bytes),
  };
}
