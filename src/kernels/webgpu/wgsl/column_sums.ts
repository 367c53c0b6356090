/**
 * Sums over rows, one for each column: in blocks of rows first, then over the blocks, both in order, so that a sum depends
 * on nothing but the rows that are live.
 */
import type { Typed } from '../../type.ts';
import { maxElements, type Shape } from '../../shape.ts';
import type { Lowering, Named } from '../lowering.ts';
import { countText } from '../pass.ts';

const BLOCK = 64;

interface ColumnSums {
  readonly label: string;
  readonly reads: Named;
  /** Their product is the number of rows. */
  readonly rows: Shape;
  readonly columns: number;
  /** The term of row `r` and column `c`. */
  readonly term: string;
  /** What it calls. */
  readonly declarations?: string;
  /** One for each column. */
  readonly out: Typed;
}

export function columnSums(
  lowering: Lowering,
  { label, reads, rows, columns, term, declarations = '', out }: ColumnSums,
): void {
  const blocks = Math.max(1, Math.ceil(maxElements(rows) / BLOCK));
  const parts = blocks === 1 ? out : lowering.scratch('f32', [blocks, columns]);
  const live = countText(rows);
  lowering.each({
    label: `${label}, blocks`,
    reads,
    writes: { parts },
    declarations,
    over: [blocks, columns],
    body: `let c = i % ${columns}u;
let first = i / ${columns}u * ${BLOCK}u;
let end = min(first + ${BLOCK}u, ${live});
var sum = 0f;
for (var r = first; r < end; r++) { sum += ${term}; }
parts[i] = sum;`,
  });
  if (blocks === 1) return;
  lowering.each({
    label: `${label}, sums`,
    reads: { parts },
    writes: { out },
    over: [columns],
    body: `let blocks = (${live} + ${BLOCK - 1}u) / ${BLOCK}u;
var sum = 0f;
for (var b = 0u; b < blocks; b++) { sum += parts[b * ${columns}u + i]; }
out[i] = sum;`,
  });
}
