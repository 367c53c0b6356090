/** What was measured of an operation, and its line. Rates are compared with the device's own peak: see `Peaks`. */
import type { Precision } from '../../src/kernels/precision.ts';
import type { KernelCase } from './kernel_case.ts';
import { nameOf } from './torch_peer.ts';

export interface Measured {
  readonly name: string;
  readonly shape: string;
  readonly bound: KernelCase['bound'];
  readonly amount: number;
  readonly ms: number;
  /** Of the peak; 1 is as fast. */
  readonly share: number;
  /** Milliseconds of PyTorch. */
  readonly torch: number | null;
}

/** Amounts a millisecond that others are compared with: of the first product, and of the first copy. */
export type Peaks = Partial<Record<KernelCase['bound'], number>>;

export function measuredOf(each: KernelCase, ms: number, peaks: Peaks, torch: number | null): Measured {
  const { name, shape, bound, amount } = each;
  const rate = amount / ms;
  peaks[bound] ??= rate;
  return { name, shape, bound, amount, ms, share: rate / peaks[bound], torch };
}

const widths = { name: 64, ms: 11, rate: 15, share: 7, torch: 12, ratio: 9 };

export function headOf(hasTorch: boolean, dtype: Precision): string {
  const own = [
    ''.padEnd(widths.name),
    'ms'.padStart(widths.ms),
    'rate'.padStart(widths.rate),
    'peak'.padStart(widths.share),
  ];
  const torch = [`torch ${dtype}`.padStart(widths.torch), 'ratio'.padStart(widths.ratio)];
  return [...own, ...(hasTorch ? torch : [])].join('');
}

/** The ratio is PyTorch's time over ours. */
export function lineOf(measured: Measured, hasTorch: boolean): string {
  const { bound, amount, ms, share, torch } = measured;
  const rate = `${figure(amount / ms / 1e6)} ${bound === 'flops' ? 'GFLOP/s' : 'GB/s'}`;
  const own = [
    nameOf(measured).padEnd(widths.name),
    figure(ms).padStart(widths.ms),
    rate.padStart(widths.rate),
    `${(100 * share).toFixed(0)} %`.padStart(widths.share),
  ];
  const theirs = [
    (torch === null ? '-' : figure(torch)).padStart(widths.torch),
    (torch === null ? '-' : `${(torch / ms).toFixed(2)} x`).padStart(widths.ratio),
  ];
  return [...own, ...(hasTorch ? theirs : [])].join('');
}

/** Four digits that mean something. */
const figure = (value: number): string => (value >= 1000 ? value.toFixed(0) : value.toPrecision(4));
