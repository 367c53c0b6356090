/**
 * Gives back what setting up has left in this thread's heap. V8 makes a young generation as large as the garbage of
 * modules, corpora and compilation once made it (64 MiB on a main thread), and keeps it while little is allocated: on a
 * machine that holds several processes that is memory which a model could have. Takes 20 to 100 ms, once.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

type Collect = (options: { type: 'major'; execution: 'sync'; flavor: 'last-resort' }) => void;

export function compactHeap(): void {
  // Contexts made from here on know the collector. The flag is the whole process's: other threads may be right here, too, so
  // it stays.
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as Collect;
  collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}
