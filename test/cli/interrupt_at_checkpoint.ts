/**
 * Loaded before the command (`node --import`): sends the process a real SIGINT as soon as it says that it has written the
 * checkpoint of step 2. So an interrupt comes in the middle of a run, however fast the machine is.
 */
const write = process.stdout.write.bind(process.stdout);
let isSent = false;

process.stdout.write = (chunk: string | Uint8Array, ...rest: never[]): boolean => {
  if (!isSent && String(chunk).includes('step 2: checkpoint')) {
    isSent = true;
    process.kill(process.pid, 'SIGINT');
  }
  return write(chunk, ...rest);
};
