/** What a value is before a program runs (`Type`), and while it runs (`Operand`). */
import type { Data, DType } from './dtype.ts';
import type { Shape } from './shape.ts';

/** Element type and shape of a value. */
export interface Type {
  readonly dtype: DType;
  readonly shape: Shape;
}

/** A value as devices lower it: something of a type, told apart by its identity. */
export interface Typed {
  readonly id: number;
  readonly type: Type;
}

/** A concrete operand of a running op: row-major data and live shape. */
export interface Operand {
  readonly data: Data;
  readonly shape: readonly number[];
}
