/**
 * A process that takes the lock of a run directory as often as it is told to, for tests of several at once. Each message of
 * its parent is a directory to take, or nothing: give back what you have. It answers whether it has the lock, or in which
 * words it was refused.
 */
import { RunDirectoryRefused } from '../../src/telemetry/errors.ts';
import { RunLock } from '../../src/telemetry/run_lock.ts';

let lock: RunLock | null = null;
process.on('message', (directory: string) => {
  if (directory === '') {
    lock?.release();
    lock = null;
    return process.send?.('released');
  }
  try {
    lock = RunLock.take(directory);
    process.send?.('owner');
  } catch (error) {
    process.send?.(error instanceof RunDirectoryRefused ? error.message : String(error));
  }
});
