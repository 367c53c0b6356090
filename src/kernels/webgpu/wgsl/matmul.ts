/** The pass of a product: in the form that fits the adapter and the matrices. */
import { maxElements } from '../../shape.ts';
import type { AdapterTraits, Lowering } from '../lowering.ts';
import { countOf } from '../pass.ts';
import type { FormText, Product } from './product.ts';
import { serialForm } from './product_serial.ts';
import { tiledForm } from './product_tiled.ts';
import { subgroupForm, takesSubgroups } from './product_subgroup.ts';
import { takesVectors, vectorForm } from './product_vectors.ts';

export function matmulPass(lowering: Lowering, product: Product): void {
  const { label, a, b, y, batch, m, n, precision } = product;
  if (precision === 'f16') lowering.need('shader-f16', label);
  const form = formOf(product, lowering.traits);
  const { declarations, body, workgroupSize, rows, columns, elements = {}, enables } = form;
  lowering.pass(
    {
      label,
      reads: { a: a.value, b: b.value },
      writes: { y: y.value },
      elements,
      declarations,
      body,
      enables: enables ?? (precision === 'f16' ? ['f16'] : []),
    },
    {
      workgroupSize,
      workgroups: (sizeOf) => countOf(batch, sizeOf) * Math.ceil(sizeOf(m) / rows) * Math.ceil(sizeOf(n) / columns),
    },
  );
}

/** Columns below which invocations on the processor have one each. */
const NARROW = 64;
const narrow = { rowsEach: 8, columnsEach: 2 };
const square = { rowsEach: 8, columnsEach: 4 };

/** Workgroups from which on a GPU is busy: its multiprocessors, once over. */
const ENOUGH = 128;
const large = { edge: 128, each: 8, depth: 16 };
const middle = { edge: 64, each: 4, depth: 32 };
const small = { edge: 32, each: 4, depth: 16 };

function formOf(product: Product, { isSerial, subgroupMatrix }: AdapterTraits): FormText {
  if (isSerial) return serialForm(product, maxElements([product.n]) < NARROW ? narrow : square);
  if (subgroupMatrix !== null && takesSubgroups(product)) return subgroupForm(product, subgroupMatrix);
  if (!takesVectors(product)) return tiledForm(product);
  const { batch, m, n } = product;
  const tiles =
    maxElements(batch) * Math.ceil(maxElements([m]) / large.edge) * Math.ceil(maxElements([n]) / large.edge);
  if (tiles >= ENOUGH) return vectorForm(product, large);
  return vectorForm(product, Math.min(maxElements([m]), maxElements([n])) > small.edge ? middle : small);
}
