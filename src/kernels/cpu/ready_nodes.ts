/**
 * The nodes of a program whose operands are made, by what runs them. Each node counts the values that it still waits for, so
 * that taking all of a program costs as much as it has edges, however many segments it is cut into.
 */
import type { Node, Value } from '../graph.ts';
import type { Program } from '../program.ts';

/** What runs a node; `host`: the plain reference. */
export type SegmentKind = 'onnx' | 'wasm' | 'host';

export class ReadyNodes {
  private readonly nodes: readonly Node[];
  private readonly kinds: readonly SegmentKind[];
  private readonly taken: boolean[];
  /** Values that each node waits for still. */
  private readonly missing: number[];
  /** Nodes by a value that they wait for. */
  private readonly waiting = new Map<Value, number[]>();
  /** Nodes that may run now, in the program's order. */
  private readonly ready: Readonly<Record<SegmentKind, number[]>> = { onnx: [], wasm: [], host: [] };
  /** State is written last: a writer whose operands are made waits for every node that writes none. */
  private writers: number[] = [];
  private pendingReaders: number;
  /** Nodes that were not taken. */
  pending: number;

  constructor({ nodes, inputs }: Program, kindOf: (node: Node) => SegmentKind) {
    this.nodes = nodes;
    this.kinds = nodes.map(kindOf);
    this.taken = nodes.map(() => false);
    this.pending = nodes.length;
    this.pendingReaders = nodes.filter(({ writes }) => writes.length === 0).length;
    const given = new Set(inputs.map(({ value }) => value));
    this.missing = nodes.map((node, at) => {
      const awaited = new Set([...node.inputs, ...node.after].filter((value) => !given.has(value)));
      for (const value of awaited) {
        const others = this.waiting.get(value);
        if (others === undefined) this.waiting.set(value, [at]);
        else others.push(at);
      }
      return awaited.size;
    });
    nodes.forEach((_, at) => {
      if (this.missing[at] === 0) this.release(at);
    });
    this.releaseWriters();
  }

  /** The first node, in the program's order, that was not taken. */
  firstPending(): Node {
    return this.nodes[this.taken.indexOf(false)];
  }

  /** Takes all nodes of a kind that are ready or become so by that, in the program's order as far as that may be. */
  takeAll(kind: SegmentKind): Node[] {
    const nodes: Node[] = [];
    const ready = this.ready[kind];
    while (ready.length > 0) {
      // What becomes ready and stands further on in the program has its place in this round, the rest in the next.
      const round = ready.splice(0);
      for (let at = round.shift(); at !== undefined; at = round.shift()) {
        nodes.push(this.take(at));
        const next = ready.splice(0);
        for (const other of next) insert(other > at ? round : ready, other);
      }
    }
    return nodes;
  }

  private take(at: number): Node {
    const node = this.nodes[at];
    this.taken[at] = true;
    this.pending--;
    if (node.writes.length === 0) this.pendingReaders--;
    for (const value of node.outputs) {
      for (const other of this.waiting.get(value) ?? []) {
        this.missing[other]--;
        if (this.missing[other] === 0) this.release(other);
      }
    }
    this.releaseWriters();
    return node;
  }

  private release(at: number): void {
    if (this.nodes[at].writes.length > 0) this.writers.push(at);
    else insert(this.ready[this.kinds[at]], at);
  }

  private releaseWriters(): void {
    if (this.pendingReaders > 0) return;
    for (const at of this.writers) insert(this.ready[this.kinds[at]], at);
    this.writers = [];
  }
}

/** Puts a number where it belongs in an ascending list. */
function insert(list: number[], value: number): void {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle] < value) low = middle + 1;
    else high = middle;
  }
  list.splice(low, 0, value);
}
