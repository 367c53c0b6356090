/**
 * A program as the WebGPU device runs it: its passes in order, which values are others under another shape, and which
 * buffers its intermediates share. Element-wise ops wait until somebody needs what they make, so that those that come
 * between do not break a chain.
 */
import { bytesPerElement } from '../dtype.ts';
import { ProgramError } from '../errors.ts';
import type { Node, Value } from '../graph.ts';
import { Graph } from '../graph.ts';
import type { Program } from '../program.ts';
import { maxElements, sameShape } from '../shape.ts';
import type { Table } from '../table.ts';
import type { Typed } from '../type.ts';
import { Lowering, type AdapterTraits } from './lowering.ts';
import type { Pass } from './pass.ts';
import { boundBytes } from './tensor.ts';
import { chainPass, isChainable } from './wgsl/chain.ts';

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

/** Buffers of one chain at most. */
export interface PassLimits {
  readonly buffers: number;
}

/** Throws `ProgramError` for an op that has no lowering for its types. */
export function planPasses(program: Program, traits: AdapterTraits, limits: PassLimits): PlannedPasses {
  const graph = program.nodes[0]?.outputs[0]?.graph ?? program.inputs[0]?.value.graph;
  const fork = graph?.fork() ?? new Graph();
  const lowering = new Lowering((type) => fork.value(type), traits);
  for (const group of groupsOf(program, limits.buffers)) {
    const [first] = group.nodes;
    if (isChainable(first)) chainPass(lowering, group.nodes, group.stored);
    else if (first.wgsl === null) throw new ProgramError(program.name, `${first.op} has no WGSL lowering`);
    else first.wgsl(lowering, first.inputs, first.outputs);
  }
  const rootOf = (value: Typed): Typed => {
    const input = lowering.aliases.get(value);
    return input === undefined ? value : rootOf(input);
  };
  const { passes, tables } = lowering;
  return { passes, rootOf, tables, ...planSlots(program, passes, rootOf, (value) => tables.has(value)) };
}

interface Group {
  /** A chain, or one node that is none. */
  readonly nodes: Node[];
  readonly stored: readonly Value[];
}

function groupsOf(program: Program, mostBuffers: number): Group[] {
  const readers = new Map<Value, Node[]>();
  for (const node of program.nodes) {
    for (const value of node.inputs) readers.set(value, [...(readers.get(value) ?? []), node]);
  }
  const asked = new Set(program.outputs.map((b) => b.value));
  const groups: Group[] = [];
  const waiting: Node[][] = [];
  const storedOf = (nodes: readonly Node[]): Value[] =>
    nodes
      .flatMap((node) => node.outputs)
      .filter((value) => asked.has(value) || readers.get(value)?.some((reader) => !nodes.includes(reader)));
  const buffersOf = (nodes: readonly Node[]): number => {
    const made = new Set(nodes.flatMap((node) => node.outputs));
    const read = new Set(nodes.flatMap((node) => node.inputs).filter((value) => !made.has(value)));
    return read.size + storedOf(nodes).length;
  };
  const flush = (chain: Node[]): void => {
    waiting.splice(waiting.indexOf(chain), 1);
    groups.push({ nodes: chain, stored: storedOf(chain) });
  };
  /** Sees to it that what waits and is read by `node` is made. Chains that wait do not read one another. */
  const need = (node: Node, own: Node[] | null): void => {
    for (const chain of [...waiting]) {
      if (chain === own) continue;
      const made = new Set(chain.flatMap((member) => member.outputs));
      if (node.inputs.some((value) => made.has(value)) || node.writes.length > 0) flush(chain);
    }
  };
  for (const node of program.nodes) {
    if (!isChainable(node)) {
      need(node, null);
      groups.push({ nodes: [node], stored: node.outputs });
      continue;
    }
    const own = waiting.find((chain) => sameShape(chain[0].outputs[0].type.shape, node.outputs[0].type.shape)) ?? null;
    need(node, own);
    // A chain that was needed for this node's sake is gone; another may have come of age.
    if (own !== null && waiting.includes(own) && buffersOf([...own, node]) <= mostBuffers) own.push(node);
    else {
      if (own !== null && waiting.includes(own)) flush(own);
      waiting.push([node]);
    }
  }
  for (const chain of [...waiting]) flush(chain);
  return groups;
}

/** A value that is not bound lives from the pass that writes it first to the one that reads it last. */
function planSlots(
  program: Program,
  passes: readonly Pass[],
  rootOf: (value: Typed) => Typed,
  isKept: (value: Typed) => boolean,
): Pick<PlannedPasses, 'slots' | 'slotBytes'> {
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
    const { shape, dtype } = value.type;
    const bytes = boundBytes(maxElements(shape) * bytesPerElement[dtype]);
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
