/**
 * Compacting gives back what setting up has left in this thread's heap. V8 makes a young generation as large as the
 * garbage of modules, corpora and compilation once made it (64 MiB on a main thread), and keeps it while little is
 * allocated: on a machine that holds several processes that is memory which a model could have. It takes 20 to 100 ms,
 * once.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

type Collect = (options: { type: 'major'; execution: 'sync'; flavor: 'last-resort' }) => void;

export function compactHeap(): void {
  // Contexts made after the flag is set know the collector. It is the whole process's, and other threads may be right here,
  // too: so it is set at most once, and stays. The inspector's `collectGarbage` needs no flag, and gives back half as much.
  const known = collector();
  if (known === null) setFlagsFromString('--expose-gc');
  (known ?? collector())?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}

const collector = (): Collect | null => runInNewContext("typeof gc === 'function' ? gc : null") as Collect | null;
