/**
 * While a promise of Dawn's is pending it asks for its events by one `setImmediate` after another, which keeps a core busy
 * with nothing. Here it may do so for a millisecond or so after each wait begins, since most are short; then it asks once a
 * millisecond. Other callers of `setImmediate` are left alone: Dawn's callback is a native function without a name.
 */
const SPINS = 64;
const PAUSE_MS = 1;

let spins = 0;
let isCalm = false;

/** Call before waiting for a promise of Dawn's. */
export function beginWait(): void {
  spins = 0;
}

/** Once a thread, before Dawn is asked for anything. */
export function calmPolling(): void {
  if (isCalm) return;
  isCalm = true;
  const immediate = globalThis.setImmediate;
  const calmed = (callback: (...args: unknown[]) => void, ...args: unknown[]): unknown => {
    if (!isDawns(callback) || spins++ < SPINS) return immediate(callback, ...args);
    return setTimeout(callback, PAUSE_MS, ...args);
  };
  globalThis.setImmediate = Object.assign(calmed as typeof setImmediate, immediate);
}

/** The functions that settle a promise are native and without names too; they take a value. */
const isDawns = (callback: (...args: unknown[]) => void): boolean =>
  callback.length === 0 && callback.name === '' && String(callback) === 'function () { [native code] }';
