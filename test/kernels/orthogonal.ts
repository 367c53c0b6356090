/** Orthogonalised matrices on a device against plain float64, and their singular values. */
import { expect } from 'vitest';
import { f32, orthogonal, trace, type Device, type Program } from '../../src/kernels/index.ts';
import { floats } from '../../src/kernels/dtype.ts';
import { inputsOf, onDevice, relativeError } from './kit.ts';

/** A matrix of float64, row by row. */
type Matrix = readonly (readonly number[])[];

const range = (length: number): number[] => Array.from({ length }, (_, i) => i);
const transposed = (x: Matrix): Matrix => range(x[0].length).map((j) => x.map((row) => row[j]));
const product = (x: Matrix, y: Matrix): Matrix => {
  const columns = transposed(y);
  return x.map((row) => columns.map((column) => row.reduce((sum, value, k) => sum + value * column[k], 0)));
};
const each = (x: Matrix, y: Matrix, f: (a: number, b: number) => number): Matrix =>
  x.map((row, i) => row.map((value, j) => f(value, y[i][j])));

export function matrixOf(data: ArrayLike<number>, rows: number, columns: number): Matrix {
  return range(rows).map((i) => range(columns).map((j) => data[i * columns + j]));
}

/** What `orthogonal` approximates, as it is published: on the matrix that is wide. */
export function plainOrthogonal(x: Matrix, epsilon: number): Matrix {
  if (x.length > x[0].length) return transposed(plainOrthogonal(transposed(x), epsilon));
  const norm = Math.sqrt(x.flat().reduce((sum, value) => sum + value * value, 0)) + epsilon;
  let y: Matrix = x.map((row) => row.map((value) => value / norm));
  for (let step = 0; step < 5; step++) {
    const square = product(y, transposed(y));
    const factor = each(square, product(square, square), (a, b) => -4.775 * a + 2.0315 * b);
    y = each(y, product(factor, y), (a, b) => 3.4445 * a + b);
  }
  return y;
}

/** Singular values of a matrix: by Jacobi's rotations, until its columns are orthogonal. */
export function singularValues(x: Matrix): number[] {
  const columns = (x.length >= x[0].length ? transposed(x) : x).map((row) => [...row]);
  const dot = (a: readonly number[], b: readonly number[]): number =>
    a.reduce((sum, value, k) => sum + value * b[k], 0);
  for (let sweep = 0; sweep < 12; sweep++) {
    for (let i = 0; i < columns.length; i++) {
      for (let j = 0; j < i; j++) {
        const between = dot(columns[i], columns[j]);
        const angle = Math.atan2(2 * between, dot(columns[i], columns[i]) - dot(columns[j], columns[j])) / 2;
        const [cosine, sine] = [Math.cos(angle), Math.sin(angle)];
        const [a, b] = [columns[i], columns[j]];
        columns[i] = a.map((value, k) => cosine * value + sine * b[k]);
        columns[j] = b.map((value, k) => cosine * value - sine * a[k]);
      }
    }
  }
  return columns.map((column) => Math.sqrt(dot(column, column)));
}

/** Rows and columns: wide, tall and square; in vectors of four, and not; of two rows. */
export const shapes = [
  [16, 48],
  [48, 16],
  [24, 24],
  [5, 7],
  [7, 5],
  [2, 33],
] as const;

export const program = (rows: number, columns: number): Program =>
  trace('orthogonal', { x: f32([rows, columns]), epsilon: f32([1]) }, ({ x, epsilon }) => ({
    y: orthogonal(x, epsilon),
  }));

/** A matrix of seeded numbers made orthogonal on `device`; the fill names other numbers. */
export async function orthogonalOf(device: Device, rows: number, columns: number, fill?: (i: number) => number) {
  const given = inputsOf(program(rows, columns), { epsilon: () => 1e-7, ...(fill === undefined ? {} : { x: fill }) });
  const { y } = await onDevice(device)(program(rows, columns), given, {});
  return { x: floats('x', given.x), y: floats('y', y) };
}

/** Throws where the result is not that of plain float64, or has a singular value that is not near 1. */
export async function expectOrthogonal(device: Device, rows: number, columns: number): Promise<void> {
  const { x, y } = await orthogonalOf(device, rows, columns);
  const expected = plainOrthogonal(matrixOf(x, rows, columns), 1e-7);
  expect(relativeError(y, Float32Array.from(expected.flat()))).toBeLessThan(1e-4);
  for (const value of singularValues(matrixOf(y, rows, columns))) {
    expect(value).toBeGreaterThan(0.65);
    expect(value).toBeLessThan(1.25);
  }
}
