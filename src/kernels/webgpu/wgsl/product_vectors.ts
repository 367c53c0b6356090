/**
 * A product on a GPU, for matrices whose near axis is whole vectors: memory is read and written, and shared memory filled
 * and read, four elements at a time. Half of a workgroup fetches a, half b; an operand whose near axis is k is turned in
 * registers on its way, so that shared memory has k outermost for both. An invocation has quarters of the tile: four by four
 * elements in each, so that neighbours read neighbouring vectors.
 */
import type { Dim } from '../../shape.ts';
import { sizeText } from '../pass.ts';
import { at, finish, place, range, stored, storedType, type FormText, type Matrix, type Product } from './product.ts';

/** Rows and columns of a workgroup: as many invocations each way as `edge / each`. */
export interface VectorTile {
  readonly edge: number;
  /** Rows, and columns, of an invocation: a multiple of four. */
  readonly each: number;
  readonly depth: number;
}

/** Does the form take the product? All steps but the near one, and the near size, are whole vectors. */
export function takesVectors({ a, b, y, m, n, k }: Product): boolean {
  const isWhole = (size: Dim): boolean => typeof size === 'number' && size % 4 === 0;
  const steps = (matrix: Matrix): boolean => {
    const isNear = matrix.columnStep === 1 ? matrix.rowStep : matrix.columnStep;
    return [matrix.base ?? 0, matrix.batchStep, isNear].every((step) => step % 4 === 0);
  };
  const nears = [a.columnStep === 1 ? k : m, b.columnStep === 1 ? n : k, n];
  return nears.every(isWhole) && steps(a) && steps(b) && steps({ ...y, columnStep: 1 });
}

export function vectorForm(product: Product, { edge, each, depth }: VectorTile): FormText {
  const { a, b, m, n, k, precision } = product;
  const across = edge / each;
  const workgroupSize = across * across;
  const half = workgroupSize / 2;
  const quarters = each / 4;
  const vectors = edge / 4;
  const vector = storedType(precision, 4);
  /** Blocks of four by four elements that an invocation fetches, one after another. */
  const blocks = (edge * depth) / 16 / half;
  const fill = (name: 'a' | 'b'): string => {
    const matrix = name === 'a' ? a : b;
    const [first, size] = name === 'a' ? ['row0', m] : ['column0', n];
    const isDepthNear = (name === 'a' ? matrix.columnStep : matrix.rowStep) === 1;
    const [deep, wide] = isDepthNear
      ? [`e % ${depth / 4}u * 4u`, `e / ${depth / 4}u * 4u`]
      : [`e / ${vectors}u * 4u`, `e % ${vectors}u * 4u`];
    const load = (j: number): string => {
      const [p, w] = isDepthNear ? ['p0 + deep', `${first} + wide + ${j}u`] : [`p0 + deep + ${j}u`, `${first} + wide`];
      const index = name === 'a' ? at(matrix, w, p, 4) : at(matrix, p, w, 4);
      return `var v${j} = ${vector}(); if (${p} < ${sizeText(k)} && ${w} < ${sizeText(size)}) { v${j} = ${stored(precision, `${name}[${index}]`, 4)}; }`;
    };
    const turned = (j: number): string =>
      isDepthNear
        ? `${vector}(${range(4)
            .map((i) => `v${i}.${'xyzw'[j]}`)
            .join(', ')})`
        : `v${j}`;
    return range(blocks)
      .map((block) => {
        const stores = range(4).map((j) => `tile_${name}[(deep + ${j}u) * ${vectors}u + wide / 4u] = ${turned(j)};`);
        return `{ let e = fetcher + ${block * half}u; let deep = ${deep}; let wide = ${wide};
${range(4).map(load).join('\n')}
${stores.join('\n')} }`;
      })
      .join('\n');
  };
  const body = `${place(product, edge, edge)}
let fetcher = lane % ${half}u;
let down1 = lane / ${across}u;
let across1 = lane % ${across}u;
${range(each)
  .flatMap((r) => range(quarters).map((q) => `var sum${r}_${q} = vec4<f32>();`))
  .join(' ')}
for (var p0 = 0u; p0 < ${sizeText(k)}; p0 += ${depth}u) {
  if (lane < ${half}u) {
${fill('a')}
  } else {
${fill('b')}
  }
  workgroupBarrier();
  for (var p = 0u; p < ${depth}u; p++) {
    ${range(quarters)
      .map((q) => `let a${q} = vec4<f32>(tile_a[p * ${vectors}u + ${q * across}u + down1]);`)
      .join(' ')}
    ${range(quarters)
      .map((q) => `let b${q} = vec4<f32>(tile_b[p * ${vectors}u + ${q * across}u + across1]);`)
      .join(' ')}
    ${range(each)
      .flatMap((r) => {
        const row = `vec4<f32>(a${Math.floor(r / 4)}.${'xyzw'[r % 4]})`;
        return range(quarters).map((q) => `sum${r}_${q} = fma(${row}, b${q}, sum${r}_${q});`);
      })
      .join(' ')}
  }
  workgroupBarrier();
}
${range(each)
  .map((r) => {
    const row = `row0 + ${Math.floor(r / 4) * across * 4}u + down1 * 4u + ${r % 4}u`;
    const stores = range(quarters).map((q) => {
      const column = `column0 + ${q * across * 4}u + across1 * 4u`;
      return `if (${column} < ${sizeText(n)}) { ${finish(product, `sum${r}_${q}`, row, column, 4)} }`;
    });
    return `if (${row} < ${sizeText(m)}) { ${stores.join(' ')} }`;
  })
  .join('\n')}`;
  const declarations = ['a', 'b']
    .map((name) => `var<workgroup> tile_${name}: array<${vector}, ${(depth * edge) / 4}>;`)
    .join('\n');
  const elements = { a: 'vec4<f32>', b: 'vec4<f32>', y: 'vec4<f32>' } as const;
  return {
    name: `vectors ${edge}/${each}/${depth}`,
    declarations,
    body,
    workgroupSize,
    rows: edge,
    columns: edge,
    lanes: 4,
    elements,
  };
}
