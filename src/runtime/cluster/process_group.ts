/**
 * A process group is a process that was started apart and all that it has started since: it is signalled as one. A process
 * id is given again once its process has been reaped, so whoever is not the parent looks first whether it still is the one.
 */

/** Sends `signal` to the group of `leader`. One that has ended is no fault: that is what is wanted of it. */
export function signalGroup(leader: number, signal: NodeJS.Signals): void {
  try {
    process.kill(process.platform === 'win32' ? leader : -leader, signal);
  } catch {
    // It has ended already, or is not ours: whoever has to know looks whether it lives.
  }
}
