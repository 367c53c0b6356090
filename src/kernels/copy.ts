/** Whether a copy between tensors can be made: what all devices ask of one. */
import type { Tensor } from './device.ts';
import { bytesPerElement } from './dtype.ts';
import { ProgramError } from './errors.ts';
import { elements } from './shape.ts';

/** In elements. */
interface Span {
  readonly from: number;
  readonly to: number;
  readonly length: number;
}

/** Throws `ProgramError` where types differ, a range does not fit its tensor, or one does not begin a word. */
export function checkCopy(source: Tensor, target: Tensor, { from, to, length }: Span): void {
  if (source.dtype !== target.dtype) throw new ProgramError('copy', `${source.dtype} into ${target.dtype}`);
  for (const [{ shape, dtype }, at] of [
    [source, from],
    [target, to],
  ] as const) {
    if ((at * bytesPerElement[dtype]) % 4 !== 0) {
      throw new ProgramError('copy', `element ${at} of ${dtype} does not begin a word`);
    }
    if (at + length > elements(shape)) {
      throw new ProgramError('copy', `${length} elements from ${at} on do not fit ${elements(shape)}`);
    }
  }
}
