/** A node for tests, which does what its data says. */
import { enterNode } from '../../../src/runtime/cluster/index.ts';
import { WorkerFailed } from '../../../src/runtime/cluster/worker_errors.ts';

await enterNode(async ({ name, data, fail, stopping }) => {
  console.log(`${name} was told to ${String(data)}`);
  if (data === 'throw') throw new TypeError('no such luck');
  if (data === 'exit') process.exit(7);
  if (data === 'fill its memory') {
    // The same process with so little memory that filling it takes no time.
    const program = 'const all = []; for (;;) all.push(new Array(1000).fill(all.length / 3));';
    process.execve?.(process.execPath, [process.execPath, '--max-old-space-size=16', '-e', program]);
  }
  if (data === 'fail') {
    const flight = [{ address: 'run/stage', message: 'open', id: 4, ms: 17 }];
    fail(new WorkerFailed('node-1.worker-0', 'hung', 'no answer', { log: ['warn run/stage slow'], flight }));
  }
  if (data === 'throw later') setTimeout(() => void Promise.reject(new RangeError('too late')), 10);
  if (data === 'wait to stop') await stopping;
  return () => {
    console.log('cleaned up');
    return Promise.resolve();
  };
});
