/**
 * A product by the matrix units of a GPU (tensor cores), through subgroup matrices: operands rounded to f16 on their way into
 * shared memory, sums in f32. Each subgroup makes a part of the workgroup's tile, of several matrices; the result goes through
 * shared memory, so that edges and scales need nothing of their own.
 */
import { sizeText } from '../pass.ts';
import { at, finish, place, range, type FormText, type Matrix, type Product } from './product.ts';
import { takesVectors } from './product_vectors.ts';

/** What an adapter multiplies in one go: square matrices of f16, summed in f32. */
export interface SubgroupMatrix {
  readonly edge: 8 | 16;
  /** Invocations of a subgroup. */
  readonly lanes: number;
}

const tile = { edge: 128, depth: 32 };
/** Subgroups down and across, each with rows × columns of the tile. */
const split = { down: 2, across: 4 };
/** Added to a line of shared memory, so that lines begin at different banks. */
const PADDING = 8;

export const SUBGROUP_FORM_BYTES = 2 * 2 * tile.edge * (tile.depth + PADDING) + 4 * 256 * split.down * split.across;

export const takesSubgroups = (product: Product): boolean => product.precision === 'f16' && takesVectors(product);

export function subgroupForm(product: Product, { edge, lanes }: SubgroupMatrix): FormText {
  const { a, b, m, n, k } = product;
  const subgroups = split.down * split.across;
  const workgroupSize = subgroups * lanes;
  const [rows, columns] = [tile.edge / split.down / edge, tile.edge / split.across / edge];
  /** Fills a tile as the operand lies: its near axis is that of shared memory, too. */
  const load = (name: 'a' | 'b') => {
    const matrix: Matrix = name === 'a' ? a : b;
    const [first, size] = name === 'a' ? ['row0', m] : ['column0', n];
    const isDepthNear = (name === 'a' ? matrix.columnStep : matrix.rowStep) === 1;
    const near = isDepthNear ? tile.depth : tile.edge;
    const line = near + PADDING;
    const [deep, wide] = isDepthNear ? ['p0 + near', `${first} + far`] : ['p0 + far', `${first} + near`];
    const index = name === 'a' ? at(matrix, wide, deep, 4) : at(matrix, deep, wide, 4);
    const fill = `for (var e = lane; e < ${(tile.edge * tile.depth) / 4}u; e += ${workgroupSize}u) {
    let near = e % ${near / 4}u * 4u; let far = e / ${near / 4}u;
    var v = vec4<f16>();
    if (${deep} < ${sizeText(k)} && ${wide} < ${sizeText(size)}) { v = vec4<f16>(${name}[${index}]); }
    let to = far * ${line}u + near;
${range(4)
  .map((i) => `    tile_${name}[to + ${i}u] = v[${i}];`)
  .join('\n')}
  }`;
    /** Whether matrices lie with their columns together: those of a whose near axis is m, those of b whose is k. */
    const order = (name === 'a') === isDepthNear ? 'row_major' : 'col_major';
    const length = (isDepthNear ? tile.edge : tile.depth) * line;
    const offset = (wideAt: string, deepAt: string): string =>
      isDepthNear ? `(${wideAt}) * ${line}u + ${deepAt}` : `(${deepAt}) * ${line}u + ${wideAt}`;
    return { fill, line, order, length, offset };
  };
  const [ofA, ofB] = [load('a'), load('b')];
  const matrix = (side: 'left' | 'right' | 'result'): string =>
    `subgroup_matrix_${side}<${side === 'result' ? 'f32' : 'f16'}, ${edge}, ${edge}>`;
  const fetched = (name: 'a' | 'b', side: 'left' | 'right', from: typeof ofA, wideAt: string): string =>
    `subgroupMatrixLoad<${matrix(side)}, ${from.order}>(&tile_${name}, ${from.offset(wideAt, 'p')}, ${from.line}u)`;
  const cells = edge * edge;
  const body = `${place(product, tile.edge, tile.edge)}
let row1 = subgroup / ${split.across}u * ${rows * edge}u;
let column1 = subgroup % ${split.across}u * ${columns * edge}u;
${range(rows)
  .flatMap((r) => range(columns).map((c) => `var sum${r}_${c} = ${matrix('result')}();`))
  .join('\n')}
for (var p0 = 0u; p0 < ${sizeText(k)}; p0 += ${tile.depth}u) {
  ${ofA.fill}
  ${ofB.fill}
  workgroupBarrier();
  for (var p = 0u; p < ${tile.depth}u; p += ${edge}u) {
${range(rows)
  .map((r) => `    let a${r} = ${fetched('a', 'left', ofA, `row1 + ${r * edge}u`)};`)
  .join('\n')}
${range(columns)
  .map((c) => `    let b${c} = ${fetched('b', 'right', ofB, `column1 + ${c * edge}u`)};`)
  .join('\n')}
${range(rows)
  .flatMap((r) =>
    range(columns).map((c) => `    sum${r}_${c} = subgroupMatrixMultiplyAccumulate(a${r}, b${c}, sum${r}_${c});`),
  )
  .join('\n')}
  }
  workgroupBarrier();
}
let room = subgroup * ${cells}u;
${range(rows)
  .flatMap((r) =>
    range(columns).map((c) => {
      const [row, column] = [
        `row0 + row1 + ${r * edge}u + cell / ${edge}u`,
        `column0 + column1 + ${c * edge}u + cell % ${edge}u`,
      ];
      return `subgroupMatrixStore<row_major>(&results, room, sum${r}_${c}, ${edge}u);
workgroupBarrier();
for (var cell = subgroup_lane; cell < ${cells}u; cell += ${lanes}u) {
  if (${row} < ${sizeText(m)} && ${column} < ${sizeText(n)}) { ${finish(product, 'results[room + cell]', row, column)} }
}
workgroupBarrier();`;
    }),
  )
  .join('\n')}`;
  const declarations = [
    `var<workgroup> tile_a: array<f16, ${ofA.length}>;`,
    `var<workgroup> tile_b: array<f16, ${ofB.length}>;`,
    `var<workgroup> results: array<f32, ${cells * subgroups}>;`,
  ].join('\n');
  const elements = { a: 'vec4<f32>', b: 'vec4<f32>' } as const;
  const enables = ['f16', 'subgroups', 'chromium_experimental_subgroup_matrix'];
  return {
    name: `subgroups ${edge}`,
    declarations,
    body,
    workgroupSize,
    rows: tile.edge,
    columns: tile.edge,
    lanes: 1,
    elements,
    enables,
  };
}
