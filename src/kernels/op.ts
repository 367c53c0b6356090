/**
 * What an op is: a shape rule, a gradient written in other ops, a plain reference that defines its numbers, and its
 * lowerings. An op is defined once (`defineOp`) and used as a function of values; its attributes are bound into the
 * node, so that whoever walks a program needs no types of single ops.
 */
import type { Arithmetic } from './arithmetic.ts';
import type { OnnxGraph } from './cpu/onnx_graph.ts';
import type { Kernel, WasmOperand } from './cpu/wasm/kernel.ts';
import { ProgramError } from './errors.ts';
import type { Graph, GradientCall, Value } from './graph.ts';
import type { Operand, Type } from './type.ts';
import type { Lowering } from './webgpu/lowering.ts';
import type { Epilogue } from './webgpu/wgsl/product.ts';

export interface OpDefinition<A> {
  readonly name: string;
  /** Output types, from input types. Throws `ShapeError` or `DTypeError`. */
  infer(inputs: readonly Type[], attributes: A): readonly Type[];
  /**
   * Plain fp32 arithmetic that defines the op. Writes `outputs` (or, for an op with `writes`, the inputs named there).
   * Must be right for dimensions of size 0 and 1.
   */
  reference(inputs: readonly Operand[], outputs: readonly Operand[], attributes: A): void;
  /** d(loss)/d(inputs) as new values, null where none flows. Absent: the op has no gradient. */
  readonly gradient?: (call: GradientCall, attributes: A) => readonly (Value | null)[];
  /**
   * ONNX nodes for the same numbers: input names to output names. Returns null where ONNX cannot keep the numbers
   * contract for these types. The CPU device takes it where there is no code of our own, and runs the reference where
   * there is neither.
   */
  readonly onnx?: (
    graph: OnnxGraph,
    inputs: readonly string[],
    types: OpTypes,
    attributes: A,
  ) => readonly string[] | null;
  /**
   * An element-wise op's one formula, from elements of the inputs, broadcast, to the element of the output. Devices fuse
   * what has one; the reference follows from it, too (`elementwise.ts`).
   */
  readonly formula?: <T>(f: Arithmetic<T>, inputs: readonly T[], attributes: A) => T;
  /**
   * The op as other ops, for a device that runs those better than the one; null where it does not for these types. It is
   * as right as the reference, and need not have its bits.
   */
  readonly decompose?: (inputs: readonly Value[], attributes: A) => readonly Value[] | null;
  /**
   * Code with the reference's bits, for the CPU device. Returns false where it cannot for these types; what was emitted is
   * thrown away then.
   */
  readonly wasm?: (
    kernel: Kernel,
    inputs: readonly WasmOperand[],
    outputs: readonly WasmOperand[],
    attributes: A,
  ) => boolean;
  /**
   * Passes for the WebGPU device, near to the reference (as its fp32 allows) and equal from run to run. An op with a `formula`
   * needs none. Throws `ShapeError` for shapes that it cannot take.
   */
  readonly wgsl?: (
    lowering: Lowering,
    inputs: readonly Value[],
    outputs: readonly Value[],
    attributes: A,
    epilogue?: Epilogue,
  ) => void;
  /** Its passes can go on with element-wise ops over its result, and store what these make. */
  readonly takesEpilogue?: boolean;
  /**
   * Costs little beside the memory of its result: the way back makes it again where its operands are there, and nothing is
   * kept. So are all ops with a `formula`.
   */
  readonly cheap?: boolean;
  /** Indices of inputs that are state, updated in place. */
  readonly writes?: readonly number[];
  /** FLOPs, a multiply-add counted as two, dynamic dimensions at their maximum; absent: too few to count. */
  readonly flops?: (types: OpTypes, attributes: A) => number;
}

export interface OpTypes {
  readonly inputs: readonly Type[];
  readonly outputs: readonly Type[];
}

/** Makes an op usable: a function that appends a node to the graph of its first operand and returns the outputs. */
export function defineOp<A>(
  definition: OpDefinition<A>,
): (inputs: readonly Value[], attributes: A) => readonly Value[] {
  const use = (inputs: readonly Value[], attributes: A): readonly Value[] => {
    const graph = graphOf(definition.name, inputs);
    const types = {
      inputs: inputs.map((v) => v.type),
      outputs: definition.infer(
        inputs.map((v) => v.type),
        attributes,
      ),
    };
    const { gradient, onnx, wasm, wgsl, takesEpilogue = false, formula, decompose } = definition;
    return graph.append(types.outputs, (outputs) => ({
      op: definition.name,
      attributes,
      inputs,
      outputs,
      writes: definition.writes ?? [],
      cheap: definition.cheap ?? definition.formula !== undefined,
      flops: definition.flops?.(types, attributes) ?? 0,
      again: (values, change) => use(values, change(attributes) as A),
      reference: (ins, outs) => definition.reference(ins, outs, attributes),
      gradient: gradient ? (call) => gradient(call, attributes) : null,
      onnx: onnx ? (g, names) => onnx(g, names, types, attributes) : null,
      wasm: wasm ? (kernel, ins, outs) => wasm(kernel, ins, outs, attributes) : null,
      wgsl: wgsl ? (lowering, ins, outs, epilogue) => wgsl(lowering, ins, outs, attributes, epilogue) : null,
      takesEpilogue,
      decompose: decompose ? (values) => decompose(values, attributes) : null,
      formula: formula ? (f, ...elements) => formula(f, elements, attributes) : null,
    }));
  };
  return use;
}

function graphOf(op: string, inputs: readonly Value[]): Graph {
  const first = inputs[0];
  if (first === undefined) throw new ProgramError(op, 'an op needs at least one operand');
  if (inputs.some((v) => v.graph !== first.graph)) throw new ProgramError(op, 'operands come from different programs');
  return first.graph;
}
