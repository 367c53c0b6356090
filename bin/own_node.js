// Runs a program of src/ on Node 24: the TypeScript source in a clone, the compiled file in an installed package. A clone
// carries its own Node, so that an older machine works.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

const at = (path) => fileURLToPath(new URL(path, import.meta.url));

/** Runs `src/<name>.ts`, or `dist/<name>.js`, with this process's arguments; sets the exit code. */
export async function runOnOwnNode(name) {
  const source = at(`../src/${name}.ts`);
  const ownNode = at('../node_modules/.bin/node');
  if (Number(process.versions.node.split('.')[0]) >= 24) {
    await import(existsSync(source) ? `../src/${name}.ts` : `../dist/${name}.js`);
  } else if (existsSync(source) && existsSync(ownNode)) {
    // Only the child handles signals: the terminal sends them to both, and this process must outlive the checkpoint that
    // the child writes.
    const child = spawn(ownNode, [source, ...process.argv.slice(2)], { stdio: 'inherit' });
    process.on('SIGINT', () => {});
    process.on('SIGTERM', () => child.kill('SIGTERM'));
    child.on('exit', (code, signal) => {
      process.exitCode = code ?? 128 + (constants.signals[signal] ?? 0);
    });
  } else {
    console.error(`troupe needs Node 24 or newer; this is Node ${process.versions.node}. Install Node 24, try again.`);
    process.exitCode = 2;
  }
}
