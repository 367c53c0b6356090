#!/usr/bin/env node
// The `troupe` command: the TypeScript source in a clone, the compiled files in an installed package.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const major = Number(process.versions.node.split('.')[0]);
const source = at('../src/cli/main.ts');
const ownNode = at('../node_modules/.bin/node');

if (major >= 24) {
  await import(existsSync(source) ? '../src/cli/main.ts' : '../dist/cli/main.js');
} else if (existsSync(source) && existsSync(ownNode)) {
  // A clone carries its own Node, so that an older machine works. Only the child handles signals: the terminal sends
  // them to both, and this process must outlive the checkpoint that the child writes.
  const child = spawn(ownNode, [source, ...process.argv.slice(2)], { stdio: 'inherit' });
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + (constants.signals[signal] ?? 0);
  });
} else {
  console.error(`troupe needs Node 24 or newer; this is Node ${process.versions.node}. Install Node 24 and try again.`);
  process.exitCode = 2;
}
