/**
 * Loaded before the command (`node --import`): sends the process the signal that follows the `?` of its own URL, as soon as
 * somebody listens for it, which is while the modules of the command are still to be loaded.
 */
const name = new URL(import.meta.url).search.slice(1);

process.on('newListener', (event) => {
  if (event === name) queueMicrotask(() => process.kill(process.pid, name));
});
