/**
 * The recording behind a trace: values and the nodes that produce them, in order. A graph only grows; programs are cut
 * out of it (`extract`), so forward and backward of one function can share it while they are made.
 */
import type { Formula } from './arithmetic.ts';
import type { OnnxGraph } from './cpu/onnx_graph.ts';
import type { Kernel, WasmOperand } from './cpu/wasm/kernel.ts';
import type { Precision } from './precision.ts';
import type { Operand, Type } from './type.ts';
import type { Lowering } from './webgpu/lowering.ts';
import type { Epilogue } from './webgpu/wgsl/product.ts';

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
  /** Values that are to be there before it runs, though it does not read them: to keep what is held at once small. */
  readonly after: readonly Value[];
  /** Rather made again than kept: see `OpDefinition`. */
  readonly cheap: boolean;
  readonly flops: number;
  /** The same op on other values, its attributes changed. Throws what its shape rule throws. */
  again(inputs: readonly Value[], change: (attributes: unknown) => unknown): readonly Value[];
  reference(inputs: readonly Operand[], outputs: readonly Operand[]): void;
  gradient: ((call: GradientCall) => readonly (Value | null)[]) | null;
  onnx: ((graph: OnnxGraph, inputs: readonly string[]) => readonly string[] | null) | null;
  wasm: ((kernel: Kernel, inputs: readonly WasmOperand[], outputs: readonly WasmOperand[]) => boolean) | null;
  wgsl: ((lowering: Lowering, inputs: readonly Value[], outputs: readonly Value[], epilogue?: Epilogue) => void) | null;
  readonly takesEpilogue: boolean;
  formula: Formula | null;
  decompose: ((inputs: readonly Value[]) => readonly Value[] | null) | null;
}

export class Graph {
  readonly nodes: Node[] = [];
  private readonly producers = new Map<Value, Node>();
  private count: number;
  private awaited: readonly Value[] = [];

  /** Of products that name none. */
  readonly precision: Precision;

  /** `firstId`: of its first value. */
  constructor(precision: Precision = 'f32', firstId = 0) {
    this.precision = precision;
    this.count = firstId;
  }

  /** An empty graph, whose values have none of the ids of this one's. */
  fork(): Graph {
    return new Graph(this.precision, this.count);
  }

  value(type: Type): Value {
    return { id: this.count++, type, graph: this };
  }

  /** Adds the node that `build` makes around fresh output values. */
  append(outputTypes: readonly Type[], build: (outputs: readonly Value[]) => Omit<Node, 'after'>): readonly Value[] {
    const outputs = outputTypes.map((type) => this.value(type));
    const node = { ...build(outputs), after: this.awaited };
    this.nodes.push(node);
    for (const output of outputs) this.producers.set(output, node);
    return outputs;
  }

  /** What `make` returns; the nodes that it adds run once `values` are there. */
  after<T>(values: readonly Value[], make: () => T): T {
    const outer = this.awaited;
    this.awaited = values;
    try {
      return make();
    } finally {
      this.awaited = outer;
    }
  }

  /** The node that makes `value`, or undefined for an input. */
  producer(value: Value): Node | undefined {
    return this.producers.get(value);
  }
}
