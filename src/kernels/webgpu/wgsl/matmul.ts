/**
 * The product of two matrices: each element sums over k in order, whatever the form. On a GPU a workgroup makes a tile of
 * the result from tiles of the operands in its shared memory, each invocation a few rows and columns of it; on the processor
 * an invocation makes a few rows and columns from memory.
 */
import type { Value } from '../../graph.ts';
import type { Dim, Shape } from '../../shape.ts';
import type { Lowering, Named } from '../lowering.ts';
import { countOf, sizeText, type Element } from '../pass.ts';
import { literal } from './arithmetic.ts';

/** Where element (row, column) of matrix `batch` lies: all steps in elements. */
export interface Matrix {
  readonly value: Value;
  readonly base?: number;
  readonly batchStep: number;
  readonly rowStep: number;
  readonly columnStep: number;
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
  readonly epilogue?: Epilogue;
}

/** What is done with an element instead of writing it to y. */
export interface Epilogue {
  readonly reads: Named;
  readonly writes: Named;
  readonly elements: Readonly<Record<string, Element>>;
  /** Statements for the element `product` of y at `i`; `row` and `column` are its place. */
  readonly body: string;
}

interface Tile {
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  /** Of one invocation. */
  readonly rowsEach: number;
  readonly columnsEach: number;
}

const tile: Tile = { rows: 64, columns: 64, depth: 16, rowsEach: 4, columnsEach: 4 };
const serial = { lanes: 8, rowsEach: 8, columnsEach: 4 };

export function matmulPass(lowering: Lowering, product: Product): void {
  const { label, a, b, y, epilogue } = product;
  const { declarations, body, workgroupSize, rows, columns } = lowering.traits.isSerial
    ? serialText(product)
    : tiledText(product, tile);
  const { batch, m, n } = product;
  lowering.pass(
    {
      label,
      reads: { a: a.value, b: b.value, ...epilogue?.reads },
      writes: epilogue?.writes ?? { y: y.value },
      elements: epilogue?.elements ?? {},
      declarations,
      body,
    },
    {
      workgroupSize,
      workgroups: (sizeOf) => countOf(batch, sizeOf) * Math.ceil(sizeOf(m) / rows) * Math.ceil(sizeOf(n) / columns),
    },
  );
}

/** The workgroup's place: `batch`, `row0` and `column0`. */
function place({ m, n, batch }: Product, rows: number, columns: number): string {
  const matrices = batch.length === 0 ? '1u' : batch.map(sizeText).join(' * ');
  return `let across = (${sizeText(n)} + ${columns - 1}u) / ${columns}u;
let down = (${sizeText(m)} + ${rows - 1}u) / ${rows}u;
let batch = block / (across * down);
if (batch >= ${matrices}) { return; }
let row0 = block / across % down * ${rows}u;
let column0 = block % across * ${columns}u;`;
}

const at = ({ base = 0, batchStep, rowStep, columnStep }: Matrix, row: string, column: string): string =>
  [
    ...(base === 0 ? [] : [`${base}u`]),
    ...(batchStep === 0 ? [] : [`batch * ${batchStep}u`]),
    `(${row}) * ${rowStep}u`,
    columnStep === 1 ? column : `(${column}) * ${columnStep}u`,
  ].join(' + ');

function finish(
  { y, scale = 1, isAdded = false, epilogue }: Product,
  sum: string,
  row: string,
  column: string,
): string {
  const product = scale === 1 ? sum : `${literal(scale)} * ${sum}`;
  const index = at({ ...y, columnStep: 1 }, row, column);
  if (epilogue === undefined) return `y[${index}] ${isAdded ? '+=' : '='} ${product};`;
  return `{ let row = ${row}; let column = ${column}; let i = ${index}; let product = ${product};\n${epilogue.body} }`;
}

function serialText(product: Product) {
  const { a, b, m, n, k } = product;
  const { lanes, rowsEach, columnsEach } = serial;
  const [down, across] = [range(rowsEach), range(columnsEach)];
  const columns = lanes * columnsEach;
  // Rows and columns beyond the last are read at the last, and dropped.
  const body = `${place(product, rowsEach, columns)}
let column1 = column0 + lane * ${columnsEach}u;
if (column1 >= ${sizeText(n)}) { return; }
let last_row = ${sizeText(m)} - 1u;
let last_column = ${sizeText(n)} - 1u;
${down.map((r) => `var at_a${r} = ${at(a, `min(row0 + ${r}u, last_row)`, '0u')};`).join('\n')}
${across.map((c) => `var at_b${c} = ${at(b, '0u', `min(column1 + ${c}u, last_column)`)};`).join('\n')}
${down.flatMap((r) => across.map((c) => `var sum${r}_${c} = 0f;`)).join(' ')}
for (var p = 0u; p < ${sizeText(k)}; p++) {
${down.map((r) => `  let a${r} = a[at_a${r} + p * ${a.columnStep}u];`).join('\n')}
${across.map((c) => `  let b${c} = b[at_b${c} + p * ${b.rowStep}u];`).join('\n')}
${down.map((r) => across.map((c) => `  sum${r}_${c} += a${r} * b${c};`).join(' ')).join('\n')}
}
${down
  .map((r) => {
    const stores = across.map((c) => {
      const store = finish(product, `sum${r}_${c}`, `row0 + ${r}u`, `column1 + ${c}u`);
      return `if (column1 + ${c}u <= last_column) { ${store} }`;
    });
    return `if (row0 + ${r}u <= last_row) { ${stores.join('\n')} }`;
  })
  .join('\n')}`;
  return { declarations: '', body, workgroupSize: lanes, rows: rowsEach, columns };
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

function tiledText(product: Product, { rows, columns, depth, rowsEach, columnsEach }: Tile) {
  const { a, b, m, n, k } = product;
  const [down, across] = [rows / rowsEach, columns / columnsEach];
  const workgroupSize = down * across;
  /** Fills a tile of shared memory, neighbouring invocations reading neighbouring elements. */
  const fill = (name: string, matrix: Matrix, isA: boolean): string => {
    const width = isA ? rows : columns;
    const isDepthNear = (isA ? matrix.columnStep : matrix.rowStep) === 1;
    const [deep, wide] = isDepthNear ? [`e % ${depth}u`, `e / ${depth}u`] : [`e / ${width}u`, `e % ${width}u`];
    const [row, column] = isA ? ['row0 + wide', 'p0 + deep'] : ['p0 + deep', 'column0 + wide'];
    const inside = isA
      ? `row0 + wide < ${sizeText(m)} && p0 + deep < ${sizeText(k)}`
      : `p0 + deep < ${sizeText(k)} && column0 + wide < ${sizeText(n)}`;
    return `for (var e = lane; e < ${depth * width}u; e += ${workgroupSize}u) {
    let deep = ${deep}; let wide = ${wide};
    var element = 0f;
    if (${inside}) { element = ${name}[${at(matrix, row, column)}]; }
    tile_${name}[deep * ${width}u + wide] = element;
  }`;
  };
  const sums = range(rowsEach).map((r) => range(columnsEach).map((c) => `sum${r}_${c}`));
  const body = `${place(product, rows, columns)}
let row1 = lane / ${across}u * ${rowsEach}u;
let column1 = lane % ${across}u * ${columnsEach}u;
${sums
  .flat()
  .map((sum) => `var ${sum} = 0f;`)
  .join(' ')}
for (var p0 = 0u; p0 < ${sizeText(k)}; p0 += ${depth}u) {
  ${fill('a', a, true)}
  ${fill('b', b, false)}
  workgroupBarrier();
  for (var p = 0u; p < ${depth}u; p++) {
    ${range(rowsEach)
      .map((r) => `let a${r} = tile_a[p * ${rows}u + row1 + ${r}u];`)
      .join(' ')}
    ${range(columnsEach)
      .map((c) => `let b${c} = tile_b[p * ${columns}u + column1 + ${c}u];`)
      .join(' ')}
    ${sums.flatMap((line, r) => line.map((sum, c) => `${sum} += a${r} * b${c};`)).join(' ')}
  }
  workgroupBarrier();
}
${sums
  .flatMap((line, r) =>
    line.map((sum, c) => {
      const [row, column] = [`row0 + row1 + ${r}u`, `column0 + column1 + ${c}u`];
      return `if (${row} < ${sizeText(m)} && ${column} < ${sizeText(n)}) { ${finish(product, sum, row, column)} }`;
    }),
  )
  .join('\n')}`;
  const declarations = [
    `var<workgroup> tile_a: array<f32, ${depth * rows}>;`,
    `var<workgroup> tile_b: array<f32, ${depth * columns}>;`,
  ].join('\n');
  return { declarations, body, workgroupSize, rows, columns };
}
