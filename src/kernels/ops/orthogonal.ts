/**
 * A matrix is made orthogonal here, roughly: its singular vectors stay, and every singular value comes near 1, so that its
 * rows are orthonormal, or its columns where there are fewer of these. It takes products alone, of a polynomial
 * that is applied five times.
 */
import { requireRank, staticShape } from '../check.ts';
import { ShapeError } from '../errors.ts';
import type { Value } from '../graph.ts';
import { showShape } from '../shape.ts';
import { add } from './add.ts';
import { div } from './div.ts';
import { matmul } from './matmul.ts';
import { mul } from './mul.ts';
import { reduceSum } from './reduce_sum.ts';
import { reshape } from './reshape.ts';
import { scale } from './scale.ts';
import { sqrt } from './sqrt.ts';

/**
 * p(σ) = aσ + bσ³ + cσ⁵, steep at 0, so that five steps take nearly all of (0, 1] to 0.7 … 1.2 (Jordan et al. 2024, Muon: An
 * optimizer for hidden layers in neural networks).
 */
const [a, b, c] = [3.4445, -4.775, 2.0315];
const STEPS = 5;

/**
 * x f32 [M, N] with its singular values near 1, those below about a thousandth of its norm excepted. `epsilon` f32 [1] is
 * added to the norm: what is much smaller goes to 0. In fp32 throughout, whatever the precision of the trace. Throws
 * `ShapeError` unless x is a matrix of fixed sizes with two rows and two columns or more.
 */
export function orthogonal(x: Value, epsilon: Value): Value {
  requireRank('orthogonal', 'x', x.type, 2);
  const [rows, columns] = staticShape('orthogonal', 'x', x.type.shape);
  if (rows < 2 || columns < 2) throw new ShapeError('orthogonal', `x is ${showShape(x.type.shape)}, which is a vector`);
  const precision = 'f32';
  let y = div(x, add(norm(x, rows), epsilon));
  for (let step = 0; step < STEPS; step++) {
    // On the shorter side: (b·yyᵀ + c·(yyᵀ)²)·y is y·(b·yᵀy + c·(yᵀy)²).
    const isWide = rows <= columns;
    const square = matmul(y, y, { transposeA: !isWide, transposeB: isWide, precision });
    const factor = add(scale(square, b), matmul(square, square, { scale: c, precision }));
    const product = isWide ? matmul(factor, y, { precision }) : matmul(y, factor, { precision });
    y = add(scale(y, a), product);
  }
  return y;
}

/** The root of the sum of squares, [1]: first by rows. */
function norm(x: Value, rows: number): Value {
  const ofRows = reduceSum(mul(x, x), [1]);
  return sqrt(reduceSum(reshape(ofRows, [1, rows]), [1]));
}
