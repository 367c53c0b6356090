/** The last words of a nats-server say why it ended, and whether that is damage to its store, as its log has it. */

export interface LastWords {
  readonly reason: string;
  /** The store is in a state that it cannot begin with; an empty one might help. */
  readonly isStoreDamaged: boolean;
}

/** The last error in the `log` of one start; null if it said none. */
export function lastWordsOf(log: string): LastWords | null {
  const line = log.split('\n').findLast((text) => / \[FTL\] |^panic: /.test(text) || text.startsWith('nats-server: '));
  if (line === undefined) return null;
  // JetStream is what keeps the store. All else that it ends over is an address, a config or a file of another kind.
  const isOfStore = /^panic: | \[FTL\] .*JetStream/.test(line);
  return { reason: line.replace(/^.*\[FTL\] /, ''), isStoreDamaged: isOfStore && !REFUSED.test(line) };
}

/** The system refuses what the server needs, whatever the store is like; in the words of Go. */
const REFUSED =
  /no space left|quota exceeded|permission denied|not permitted|read-only file system|too many open files|cannot allocate|out of memory/;
