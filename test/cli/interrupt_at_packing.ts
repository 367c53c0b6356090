/**
 * Loaded before the command (`node --import`): Ctrl-C as soon as the command has a thread, of which those that pack texts
 * are the first.
 */
process.once('worker', () => process.kill(process.pid, 'SIGINT'));
