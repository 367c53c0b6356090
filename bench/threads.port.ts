/** The other thread of the bench of threads, bare: reads arrays, and answers numbers with the sum of first elements or themselves. */

import { parentPort } from 'node:worker_threads';

let sum = 0;
parentPort?.on('message', (message: unknown) => {
  if (message instanceof Float32Array) sum += message[0];
  else if (message === 'stop') parentPort?.close();
  else if (message === 'drained') {
    parentPort?.postMessage(sum);
    sum = 0;
  } else parentPort?.postMessage(message);
});
