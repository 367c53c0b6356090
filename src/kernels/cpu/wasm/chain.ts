/**
 * Element-wise ops that follow one another over the same shape, as one pass: what one computes and only others of the
 * chain read never reaches memory.
 */
import type { Node, Value } from '../../graph.ts';
import { isStatic, maxElements, sameShape, type Shape } from '../../shape.ts';
import { i32, type V128 } from './instructions.ts';
import { isWhole, type Kernel, type WasmOperand } from './kernel.ts';

/** How an operand is read: element by element, one for all, one row for all rows, one number a row. */
type Pattern = 'full' | 'scalar' | 'row' | 'column';

/** Null where it broadcasts in some other way. */
export function patternOf(operand: Shape, whole: Shape): Pattern | null {
  if (sameShape(operand, whole)) return 'full';
  if (maxElements(operand) === 1) return 'scalar';
  const width = whole.at(-1);
  const others = operand.slice(0, -1);
  if (operand.at(-1) === width && others.every((dim) => dim === 1)) return 'row';
  if (operand.at(-1) === 1 && sameShape(others, whole.slice(0, -1))) return 'column';
  return null;
}

/** Can the node be part of a chain? */
export function isChainable({ formula, inputs, outputs }: Node): boolean {
  const shape = outputs[0]?.type.shape ?? [];
  if (formula === null || !isWhole(shape)) return false;
  const patterns = inputs.map((value) => patternOf(value.type.shape, shape));
  if (patterns.includes(null)) return false;
  if (patterns.every((pattern) => pattern === 'full' || pattern === 'scalar')) return true;
  // By rows: each has to be whole, and their number known from one dimension.
  return Number(shape.at(-1)) % 4 === 0 && (shape.length === 2 || isStatic(shape));
}

/** Emits the nodes, all of one shape, in order; `isStored` says which results somebody else reads. */
export function emitChain(
  kernel: Kernel,
  nodes: readonly Node[],
  operand: (value: Value) => WasmOperand,
  isStored: (value: Value) => boolean,
): void {
  const { shape } = nodes[0].outputs[0].type;
  const made = new Set(nodes.flatMap((node) => node.outputs));
  const read = [...new Set(nodes.flatMap((node) => node.inputs))].filter((value) => !made.has(value));
  const patterns = new Map(read.map((value) => [value, patternOf(value.type.shape, shape)!]));
  const known = new Map<Value, V128>();
  for (const value of read) {
    if (patterns.get(value) === 'scalar') known.set(value, kernel.splat(operand(value)));
  }
  const body = (
    values: Map<Value, V128>,
    load: (value: Value) => V128,
    store: (value: Value, x: V128) => void,
  ): void => {
    for (const value of read) if (!values.has(value)) values.set(value, load(value));
    for (const { formula, inputs, outputs } of nodes) {
      const made = formula!(kernel.f, ...inputs.map((value) => values.get(value)!));
      // Whoever reads it out of the register reads what memory would hold.
      const result = outputs[0].type.dtype === 'bf16' ? kernel.f.roundBf16(made) : made;
      values.set(outputs[0], result);
      if (isStored(outputs[0])) store(outputs[0], result);
    }
  };
  const isFlat = [...patterns.values()].every((pattern) => pattern === 'full' || pattern === 'scalar');
  if (isFlat) {
    kernel.each(shape, (at, offset) =>
      body(
        new Map(known),
        (value) => kernel.load(operand(value), at, offset),
        (value, x) => kernel.store(operand(value), x, at, offset),
      ),
    );
    return;
  }
  const width = Number(shape.at(-1));
  const rows = shape.length === 2 ? shape[0] : maxElements(shape.slice(0, -1));
  kernel.rows(rows, width, (row, start) => {
    const ofRow = new Map(known);
    for (const value of read) {
      if (patterns.get(value) !== 'column') continue;
      ofRow.set(value, kernel.splat(operand(value), kernel.fn.let(i32.shl(row, i32.const(2)))));
    }
    kernel.across(width, (column, offset) => {
      const at = kernel.fn.let(i32.add(start, column));
      body(
        new Map(ofRow),
        (value) => kernel.load(operand(value), patterns.get(value) === 'row' ? column : at, offset),
        (value, x) => kernel.store(operand(value), x, at, offset),
      );
    });
  });
}
