/** Rounding to the precision of a product's operands: of values in a trace, and of plain data. */
import { numbers } from '../arithmetic.ts';
import type { Value } from '../graph.ts';
import type { Precision } from '../precision.ts';
import { roundBf16 } from './round_bf16.ts';
import { roundF16 } from './round_f16.ts';

export function roundTo(precision: Precision, x: Value): Value {
  if (precision === 'f16') return roundF16(x);
  return precision === 'bf16' ? roundBf16(x) : x;
}

/** `data` itself where there is nothing to round. */
export function roundedTo(precision: Precision, data: Float32Array): Float32Array {
  if (precision === 'f32') return data;
  return data.map((x) => (precision === 'f16' ? Math.f16round(x) : numbers.roundBf16(x)));
}
