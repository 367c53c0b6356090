/** The pass of a product: in the forms that fit the adapter and the matrices, of which the device takes the fastest. */
import { maxElements, showShape } from '../../shape.ts';
import type { AdapterTraits, Lowering } from '../lowering.ts';
import { countOf } from '../pass.ts';
import type { FormText, Product } from './product.ts';
import { serialForm } from './product_serial.ts';
import { subgroupForm, takesSubgroups } from './product_subgroup.ts';
import { tiledForm } from './product_tiled.ts';
import { takesVectors, vectorForm } from './product_vectors.ts';

export function matmulPass(lowering: Lowering, product: Product): void {
  const { a, b, y, batch, m, n, precision, epilogue } = product;
  const label = epilogue === undefined ? product.label : `${product.label} + ${epilogue.label}`;
  if (precision === 'f16') lowering.need('shader-f16', label);
  lowering.choose(
    keyOf(label, product),
    formsOf(product, lowering.traits).map((form) => {
      const { name, declarations, body, workgroupSize, rows, columns, elements = {} } = form;
      const enables = form.enables ?? (precision === 'f16' ? ['f16'] : []);
      return {
        name,
        text: {
          label,
          reads: { a: a.value, b: b.value, ...epilogue?.reads },
          writes: epilogue?.writes ?? { y: y.value },
          elements: { ...elements, ...epilogue?.elements(form.lanes) },
          declarations,
          body,
          enables,
        },
        grid: {
          workgroupSize,
          workgroups: (sizeOf) => countOf(batch, sizeOf) * Math.ceil(sizeOf(m) / rows) * Math.ceil(sizeOf(n) / columns),
        },
      };
    }),
  );
}

/** Columns below which invocations on the processor have two each. */
const NARROW = 64;
const narrow = { rowsEach: 8, columnsEach: 2 };
const wide = { rowsEach: 8, columnsEach: 4 };
const square = { rowsEach: 8, columnsEach: 8 };

/** Workgroups from which on a GPU is busy: its multiprocessors, once over. */
const ENOUGH = 128;
const large = { edge: 128, each: 8, depth: 16 };
const middle = { edge: 64, each: 4, depth: 32 };
const dense = { edge: 64, each: 8, depth: 16 };
const small = { edge: 32, each: 4, depth: 16 };

/** The likeliest first. Those after it sum in the same order. */
function formsOf(product: Product, { isSerial, subgroupMatrix }: AdapterTraits): readonly FormText[] {
  const [rows, columns] = [maxElements([product.m]), maxElements([product.n])];
  if (isSerial) {
    const tiles = columns < NARROW ? [narrow] : [wide, square];
    return tiles.map((tile) => serialForm(product, tile));
  }
  // Matrix units add up in an order of their own.
  if (subgroupMatrix !== null && takesSubgroups(product)) return [subgroupForm(product, subgroupMatrix)];
  if (!takesVectors(product)) return [tiledForm(product)];
  if (Math.min(rows, columns) <= small.edge) return [vectorForm(product, small)];
  const tiles = maxElements(product.batch) * Math.ceil(rows / large.edge) * Math.ceil(columns / large.edge);
  const order = tiles >= ENOUGH ? [large, dense, middle] : [middle, dense, large];
  return order.map((tile) => vectorForm(product, tile));
}

function keyOf(label: string, { a, b, batch, m, n, k, precision = 'f32' }: Product): string {
  const order = [a, b].map(({ columnStep }) => (columnStep === 1 ? 'N' : 'T')).join('');
  return `${label} ${order} ${showShape([...batch, m, n, k])} ${precision}`;
}
