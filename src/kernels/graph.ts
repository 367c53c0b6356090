/**
 * The recording behind a trace: values and the nodes that produce them, in order. A graph only grows; programs are cut
 * out of it (`extract`), so forward and backward of one function can share it while they are made.
 */
import type { OnnxGraph } from './cpu/onnx_graph.ts';
import type { Operand, Type } from './type.ts';

/** A symbolic tensor of one graph. */
export interface Value {
  readonly id: number;
  readonly type: Type;
  readonly graph: Graph;
}

/** What an op's gradient is made from. */
export interface GradientCall {
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  /** d(loss)/d(output), null where no gradient flows. At least one is present. */
  readonly cotangents: readonly (Value | null)[];
}

/** One use of an op in a program, its attributes bound. */
export interface Node {
  readonly op: string;
  /** For dumps and error messages only. */
  readonly attributes: unknown;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly writes: readonly number[];
  readonly flops: number;
  reference(inputs: readonly Operand[], outputs: readonly Operand[]): void;
  /** What a device runs on the host: the reference, or something with its bits. */
  onHost(inputs: readonly Operand[], outputs: readonly Operand[]): void;
  gradient: ((call: GradientCall) => readonly (Value | null)[]) | null;
  onnx: ((graph: OnnxGraph, inputs: readonly string[]) => readonly string[] | null) | null;
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
