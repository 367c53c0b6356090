/**
 * The recording behind a trace: values and the nodes that produce them, in order. A graph only grows; programs are cut
 * out of it (`extract`), so forward and backward of one function can share it while they are made.
 */
import type { Node, Type } from './op.ts';

/** A symbolic tensor of one graph. */
export interface Value {
  readonly id: number;
  readonly type: Type;
  readonly graph: Graph;
}

export class Graph {
  readonly nodes: Node[] = [];
  private readonly producers = new Map<Value, Node>();
  private count = 0;

  value(type: Type): Value {
    return { id: this.count++, type, graph: this };
  }

  /** Adds the node that `build` makes around fresh output values. */
  append(outputTypes: readonly Type[], build: (outputs: readonly Value[]) => Node): readonly Value[] {
    const outputs = outputTypes.map((type) => this.value(type));
    const node = build(outputs);
    this.nodes.push(node);
    for (const output of outputs) this.producers.set(output, node);
    return outputs;
  }

  /** The node that makes `value`, or undefined for an input. */
  producer(value: Value): Node | undefined {
    return this.producers.get(value);
  }
}
