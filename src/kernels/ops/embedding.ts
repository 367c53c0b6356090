/**
 * The rows of a table by token id. The gradient adds the rows of one id in row order, so that its bits depend on
 * nothing else: the same sums that sorting the rows by id first would give.
 */
import type { Value } from '../graph.ts';
import { gatherRows } from './gather_rows.ts';

/** table [V, D], ids i32 [R] → [R, D]. Throws `ShapeError` when it runs into an id outside of −1 … V − 1; −1 gives zeros. */
export function embedding(table: Value, ids: Value): Value {
  return gatherRows(table, ids);
}
