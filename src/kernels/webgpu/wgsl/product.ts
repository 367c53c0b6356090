/**
 * A product of matrices as shaders see it, and what its forms share. Each element sums over k in order by fused
 * multiply-adds, whatever the form, so that forms may be exchanged.
 */
import type { Precision } from '../../precision.ts';
import type { Dim, Shape } from '../../shape.ts';
import type { Typed } from '../../type.ts';
import { sizeText, type Element } from '../pass.ts';
import { literal, type Lanes } from './arithmetic.ts';

/** Where element (row, column) of matrix `batch` lies: all steps in elements. */
export interface Matrix {
  readonly value: Typed;
  readonly base?: number;
  readonly batchStep: number;
  readonly rowStep: number;
  readonly columnStep: number;
}

/** What goes on with the result of a product before it leaves its registers: see `epilogue.ts`. */
export interface Epilogue {
  readonly label: string;
  /** Beside the result. */
  readonly reads: Readonly<Record<string, Typed>>;
  /** The result is among them if somebody else reads it. */
  readonly writes: Readonly<Record<string, Typed>>;
  elements(lanes: Lanes): Readonly<Record<string, Element>>;
  /** Statements that go on with the expression `result` for element, or vector of four, `index` of it. */
  text(result: string, index: string, lanes: Lanes): string;
}

export interface Product {
  readonly label: string;
  /** [m, k] and [k, n] as they are read; y [m, n] has no gaps between columns. */
  readonly a: Matrix;
  readonly b: Matrix;
  readonly y: Omit<Matrix, 'columnStep'>;
  readonly batch: Shape;
  readonly m: Dim;
  readonly n: Dim;
  readonly k: Dim;
  readonly scale?: number;
  /** Whether the product is added to what y has. */
  readonly isAdded?: boolean;
  readonly precision?: Precision;
  /** What is done with the result instead of storing it. */
  readonly epilogue?: Epilogue | undefined;
}

/** A shader for a product. */
export interface FormText {
  readonly name: string;
  readonly declarations: string;
  readonly body: string;
  readonly workgroupSize: number;
  /** Of the result, a workgroup. */
  readonly rows: number;
  readonly columns: number;
  readonly elements?: Readonly<Record<string, Element>>;
  /** Columns that it finishes at once. */
  readonly lanes: Lanes;
  /** WGSL extensions. */
  readonly enables?: readonly string[];
}

/** The workgroup's place: `batch`, `row0` and `column0`. One beyond the last returns before it divides, maybe by no rows. */
export function place({ m, n, batch }: Product, rows: number, columns: number): string {
  const matrices = batch.length === 0 ? '1u' : batch.map(sizeText).join(' * ');
  return `let across = (${sizeText(n)} + ${columns - 1}u) / ${columns}u;
let down = (${sizeText(m)} + ${rows - 1}u) / ${rows}u;
if (block >= ${matrices} * across * down) { return; }
let batch = block / (across * down);
let row0 = block / across % down * ${rows}u;
let column0 = block % across * ${columns}u;`;
}

/** The index of an element, all steps divided by `lanes`. */
export const at = (
  { base = 0, batchStep, rowStep, columnStep }: Matrix,
  row: string,
  column: string,
  lanes = 1,
): string =>
  [
    ...(base === 0 ? [] : [`${base / lanes}u`]),
    ...(batchStep === 0 ? [] : [`batch * ${batchStep / lanes}u`]),
    stepped(row, rowStep / lanes),
    stepped(column, columnStep / lanes),
  ].join(' + ');

const stepped = (index: string, step: number): string => {
  if (step === 1) return index;
  return step < 1 ? `(${index}) / ${1 / step}u` : `(${index}) * ${step}u`;
};

/** Stores the sum of (row, column), or what the epilogue makes of it. */
export function finish(
  { y, scale = 1, isAdded = false, epilogue }: Product,
  sum: string,
  row: string,
  column: string,
  lanes: Lanes = 1,
): string {
  const product = scale === 1 ? sum : `${literal(scale)} * ${sum}`;
  const index = at({ ...y, columnStep: 1 }, row, column, lanes);
  if (epilogue !== undefined) return epilogue.text(product, index, lanes);
  return `y[${index}] ${isAdded ? '+=' : '='} ${product};`;
}

/** The type of an operand, or of four, in shared memory: what is stored there is rounded to it. */
export const storedType = (precision: Precision | undefined, lanes: 1 | 4): string => {
  const type = precision === 'f16' ? 'f16' : 'f32';
  return lanes === 1 ? type : `vec4<${type}>`;
};

/** An operand, or four, on its way into shared memory. */
export function stored(precision: Precision | undefined, x: string, lanes: 1 | 4): string {
  const type = (name: string): string => (lanes === 1 ? name : `vec4<${name}>`);
  if (precision === 'f16') return `${type('f16')}(${x})`;
  if (precision !== 'bf16') return x;
  return `bitcast<${type('f32')}>(round_bf16_bits${lanes === 1 ? '' : '4'}(bitcast<${type('u32')}>(${x})))`;
}

export const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
