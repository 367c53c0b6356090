/**
 * Which ops of a program become one pass: element-wise ops that follow one another over one shape, by themselves or after a
 * product. They wait until somebody needs what they make, so that those that come between do not break a chain.
 */
import type { Node, Value } from '../graph.ts';
import type { Program } from '../program.ts';
import { sameShape } from '../shape.ts';
import { isChainable } from './wgsl/chain.ts';
import { continues } from './wgsl/epilogue.ts';

export interface Group {
  /** What is no element-wise op; null where all are. */
  readonly head: Node | null;
  readonly chain: readonly Node[];
  /** What others read of it, or is asked for. */
  readonly stored: readonly Value[];
}

/** A group while others may join it. */
interface Waiting {
  readonly head: Node | null;
  readonly nodes: Node[];
}

/** In an order in which they may run. A group has `mostBuffers` at most; `takesEpilogue` says what may be the head of a chain. */
export function groupsOf(program: Program, mostBuffers: number, takesEpilogue: (node: Node) => boolean): Group[] {
  const readers = new Map<Value, Node[]>();
  for (const node of program.nodes) {
    for (const value of node.inputs) readers.set(value, [...(readers.get(value) ?? []), node]);
  }
  const asked = new Set(program.outputs.map((b) => b.value));
  const storedOf = (nodes: readonly Node[]): Value[] =>
    nodes
      .flatMap((node) => node.outputs)
      .filter((value) => asked.has(value) || readers.get(value)?.some((reader) => !nodes.includes(reader)));
  /** A product has its operands for itself, also those that the chain reads, too. */
  const fits = ({ head, nodes }: Waiting, node: Node): boolean => {
    const all = [...nodes, node];
    const made = madeBy(all);
    const chain = head === null ? all : all.slice(1);
    const read = new Set(chain.flatMap(({ inputs }) => inputs).filter((value) => !made.has(value)));
    return (head?.inputs.length ?? 0) + read.size + storedOf(all).length <= mostBuffers;
  };
  const groups: Group[] = [];
  const waiting: Waiting[] = [];
  const flush = (group: Waiting): void => {
    const { head, nodes } = group;
    waiting.splice(waiting.indexOf(group), 1);
    groups.push({ head, chain: head === null ? nodes : nodes.slice(1), stored: storedOf(nodes) });
  };
  /** Sees to it that what waits and is read by `node` is made. Groups that wait do not read one another. */
  const need = (node: Node, own: Waiting | null): void => {
    for (const group of [...waiting]) {
      if (group !== own && (node.writes.length > 0 || reads(node, group))) flush(group);
    }
  };
  for (const node of program.nodes) {
    const joinable = isChainable(node) ? waiting.filter((group) => canJoin(node, group)) : [];
    const own = joinable.find(({ head }) => head !== null) ?? joinable.at(0) ?? null;
    need(node, own);
    if (own !== null && fits(own, node)) {
      own.nodes.push(node);
      continue;
    }
    if (own !== null) flush(own);
    const group = { head: isChainable(node) ? null : node, nodes: [node] };
    waiting.push(group);
    if (group.head !== null && !takesEpilogue(node)) flush(group);
  }
  for (const group of [...waiting]) flush(group);
  return groups;
}

const madeBy = (nodes: readonly Node[]): ReadonlySet<Value> => new Set(nodes.flatMap((node) => node.outputs));

const reads = (node: Node, { nodes }: Waiting): boolean => {
  const made = madeBy(nodes);
  return node.inputs.some((value) => made.has(value));
};

/** A chain takes whatever has its shape; an epilogue what goes on with its result. */
function canJoin(node: Node, group: Waiting): boolean {
  if (group.head !== null) return reads(node, group) && continues(node, group.head.outputs[0]);
  return sameShape(group.nodes[0].outputs[0].type.shape, node.outputs[0].type.shape);
}
