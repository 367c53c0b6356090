/**
 * Loaded before the command (`node --import`): Ctrl-C at the checkpoint of step 2, and once more when the command has said
 * that it heard the first, which by its clock is two seconds later.
 */
const write = process.stdout.write.bind(process.stdout);
const now = performance.now.bind(performance);
const words = ['step 2: checkpoint', 'interrupted: '];
let passedMs = 0;

performance.now = () => now() + passedMs;
process.stdout.write = (chunk: string | Uint8Array, ...rest: never[]): boolean => {
  if (words.length > 0 && String(chunk).includes(words[0])) {
    if (words.length === 1) passedMs = 2000;
    words.shift();
    process.kill(process.pid, 'SIGINT');
  }
  return write(chunk, ...rest);
};
