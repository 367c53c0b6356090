/** A product on the processor: an invocation makes a few rows and columns from memory, without barriers. */
import { sizeText } from '../pass.ts';
import { at, finish, place, range, stored, type FormText, type Product } from './product.ts';

export interface SerialTile {
  readonly rowsEach: number;
  readonly columnsEach: number;
}

const LANES = 8;

export function serialForm(product: Product, { rowsEach, columnsEach }: SerialTile): FormText {
  const { a, b, m, n, k, precision } = product;
  const [down, across] = [range(rowsEach), range(columnsEach)];
  // A compiler may take a conversion there and back for nothing.
  const rounded = (x: string): string => (precision === 'f16' ? `quantizeToF16(${x})` : stored(precision, x, 1));
  const columns = LANES * columnsEach;
  // Rows and columns beyond the last are read at the last, and dropped.
  const body = `${place(product, rowsEach, columns)}
let column1 = column0 + lane * ${columnsEach}u;
if (column1 >= ${sizeText(n)}) { return; }
let last_row = ${sizeText(m)} - 1u;
let last_column = ${sizeText(n)} - 1u;
${down.map((r) => `let at_a${r} = ${at(a, `min(row0 + ${r}u, last_row)`, '0u')};`).join('\n')}
${across.map((c) => `let at_b${c} = ${at(b, '0u', `min(column1 + ${c}u, last_column)`)};`).join('\n')}
${down.flatMap((r) => across.map((c) => `var sum${r}_${c} = 0f;`)).join(' ')}
for (var p = 0u; p < ${sizeText(k)}; p++) {
${down.map((r) => `  let a${r} = ${rounded(`a[at_a${r} + p * ${a.columnStep}u]`)};`).join('\n')}
${across.map((c) => `  let b${c} = ${rounded(`b[at_b${c} + p * ${b.rowStep}u]`)};`).join('\n')}
${down.map((r) => across.map((c) => `  sum${r}_${c} = fma(a${r}, b${c}, sum${r}_${c});`).join(' ')).join('\n')}
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
  return {
    name: `serial ${rowsEach}x${columnsEach}`,
    declarations: '',
    body,
    workgroupSize: LANES,
    rows: rowsEach,
    columns,
    lanes: 1,
  };
}
