/**
 * A product on a GPU, for matrices of any steps: a workgroup makes a tile of the result from tiles of the operands in its
 * shared memory, each invocation a few rows and columns of it.
 */
import { sizeText } from '../pass.ts';
import { at, finish, place, range, stored, storedType, type FormText, type Matrix, type Product } from './product.ts';

const tile = { rows: 32, columns: 32, depth: 8, rowsEach: 2, columnsEach: 2 };

export function tiledForm(product: Product): FormText {
  const { rows, columns, depth, rowsEach, columnsEach } = tile;
  const { a, b, m, n, k, precision } = product;
  const [down, across] = [rows / rowsEach, columns / columnsEach];
  const workgroupSize = down * across;
  /** Fills a tile of shared memory, neighbouring invocations reading neighbouring elements. */
  const fill = (name: 'a' | 'b', matrix: Matrix, width: number): string => {
    const isA = name === 'a';
    const isDepthNear = (isA ? matrix.columnStep : matrix.rowStep) === 1;
    const [deep, wide] = isDepthNear ? [`e % ${depth}u`, `e / ${depth}u`] : [`e / ${width}u`, `e % ${width}u`];
    const [row, column] = isA ? ['row0 + wide', 'p0 + deep'] : ['p0 + deep', 'column0 + wide'];
    const inside = isA ? `row0 + wide < ${sizeText(m)}` : `column0 + wide < ${sizeText(n)}`;
    return `for (var e = lane; e < ${depth * width}u; e += ${workgroupSize}u) {
    let deep = ${deep}; let wide = ${wide};
    var element = ${storedType(precision, 1)}();
    if (p0 + deep < ${sizeText(k)} && ${inside}) { element = ${stored(precision, `${name}[${at(matrix, row, column)}]`, 1)}; }
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
  ${fill('a', a, rows)}
  ${fill('b', b, columns)}
  workgroupBarrier();
  for (var p = 0u; p < ${depth}u; p++) {
    ${range(rowsEach)
      .map((r) => `let a${r} = f32(tile_a[p * ${rows}u + row1 + ${r}u]);`)
      .join(' ')}
    ${range(columnsEach)
      .map((c) => `let b${c} = f32(tile_b[p * ${columns}u + column1 + ${c}u]);`)
      .join(' ')}
    ${sums.flatMap((line, r) => line.map((sum, c) => `${sum} = fma(a${r}, b${c}, ${sum});`)).join(' ')}
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
    `var<workgroup> tile_a: array<${storedType(precision, 1)}, ${depth * rows}>;`,
    `var<workgroup> tile_b: array<${storedType(precision, 1)}, ${depth * columns}>;`,
  ].join('\n');
  return { name: 'tiled', declarations, body, workgroupSize, rows, columns, lanes: 1 };
}
