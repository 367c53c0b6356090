/**
 * Rows in message args. Between actors of one worker, whose device has memory of its own, they stay there: what travels is
 * a lease, which only that worker can redeem, once.
 */
import { z } from 'zod';
import { tensorSchema, type TensorPayload } from '../../runtime/index.ts';

export interface LeasedRows {
  readonly lease: number;
  /** [rows, width]. */
  readonly shape: readonly number[];
}

export type Rows = TensorPayload | LeasedRows;

export const rowsSchema: z.ZodType<Rows> = z.union([
  tensorSchema,
  z.object({ lease: z.int(), shape: z.array(z.int()) }),
]);
