/**
 * What the operands of a product are rounded to before they are multiplied: to nearest, ties to even. Sums are fp32 always,
 * and so is what is kept.
 */
export type Precision = 'f32' | 'f16' | 'bf16';
