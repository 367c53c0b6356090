/** Loaded before the command (`node --import`): Ctrl-C as soon as the command has made a folder that is partial. */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const { mkdtempSync } = fs;
const interrupting = (prefix: string): string => {
  const made = mkdtempSync(prefix);
  if (prefix.includes('.partial-')) process.kill(process.pid, 'SIGINT');
  return made;
};
Object.assign(fs, { mkdtempSync: interrupting });
syncBuiltinESMExports();
