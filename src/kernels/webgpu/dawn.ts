/**
 * The entrance to Dawn, which crashes when something it made is collected while it is at work: what a process opens stays
 * in `pinned` as long as the process, and memory is given back by `destroy`, never by being forgotten.
 */
import { DawnMissing } from './errors.ts';
import { calmPolling } from './polling.ts';

const pinned: unknown[] = [];
Reflect.set(globalThis, 'pinnedByDawn', pinned);

/** `thing`, which is never collected from now on. */
export function pin<T>(thing: T): T {
  pinned.push(thing);
  return thing;
}

/** What can be opened: see the package's own list of options. Unknown toggles are ignored without a word. Throws `DawnMissing`. */
export async function openGpu(options: readonly string[]): Promise<GPU> {
  calmPolling();
  const { create, globals } = await import('webgpu').catch((cause: unknown) => {
    throw new DawnMissing(cause);
  });
  Object.assign(globalThis, globals);
  return pin(create([...options]));
}
