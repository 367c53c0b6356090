/**
 * Things that are alike take the same memory of a device, such as the contexts of a stage. A device that measures only
 * makes the first and books the others, so that a plan costs no more for a thousand of them.
 */
import type { Device } from '../../kernels/device.ts';

/** Makes `count` things by `make`; on a dry device all are the first one. Throws what `make` throws. */
export function alike<T>({ dry }: Pick<Device, 'dry'>, count: number, make: () => T): T[] {
  if (dry === undefined) return Array.from({ length: count }, make);
  if (count === 0) return [];
  dry.begin(count);
  try {
    const first = make();
    return Array.from({ length: count }, () => first);
  } finally {
    dry.end();
  }
}

/** The same, one after another, where making takes a while: `make` is told how many there are already. */
export async function alikeInTurn<T>(
  { dry }: Pick<Device, 'dry'>,
  count: number,
  make: (at: number) => Promise<T>,
): Promise<T[]> {
  const made: T[] = [];
  if (dry === undefined) {
    for (let at = 0; at < count; at++) made.push(await make(at));
    return made;
  }
  if (count === 0) return made;
  dry.begin(count);
  try {
    const first = await make(0);
    return Array.from({ length: count }, () => first);
  } finally {
    dry.end();
  }
}
