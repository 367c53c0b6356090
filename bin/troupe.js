#!/usr/bin/env node
// The `troupe` command: the TypeScript source in a clone, the compiled files in an installed package.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const major = Number(process.versions.node.split('.')[0]);
const source = at('../src/cli/main.ts');

if (major >= 24) {
  await import(existsSync(source) ? '../src/cli/main.ts' : '../dist/cli/main.js');
} else if (existsSync(source) && existsSync(at('../node_modules/.bin/node'))) {
  // A clone carries its own Node, so that an older machine works.
  const run = spawnSync(at('../node_modules/.bin/node'), [source, ...process.argv.slice(2)], { stdio: 'inherit' });
  process.exitCode = run.status ?? 1;
} else {
  console.error(`troupe needs Node 24 or newer; this is Node ${process.versions.node}. Install Node 24 and try again.`);
  process.exitCode = 2;
}
