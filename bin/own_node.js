// Runs a program of src/ on Node 24: the TypeScript source in a clone, the compiled file in an installed package. A clone
// carries its own Node, so that an older machine works.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import module from 'node:module';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import { isNewEnough, tooOld } from './node_version.cjs';

const at = (path) => fileURLToPath(new URL(path, import.meta.url));

/** Runs `src/<name>.ts`, or `dist/<name>.js`, with this process's arguments; sets the exit code. */
export async function runOnOwnNode(name) {
  const source = at(`../src/${name}.ts`);
  const ownNode = at('../node_modules/.bin/node');
  if (isNewEnough) {
    keepCompiled();
    await import(existsSync(source) ? `../src/${name}.ts` : `../dist/${name}.js`);
  } else if (existsSync(source) && existsSync(ownNode)) {
    await runAsChild(ownNode, source);
  } else {
    console.error(tooOld);
    process.exitCode = 2;
  }
}

// The child writes a checkpoint when it is told to end, or when this process is gone; this one outlives the checkpoint.
function runAsChild(ownNode, source) {
  const env = { ...process.env, TROUPE_OUTER_PID: String(process.pid) };
  const child = spawn(ownNode, [source, ...process.argv.slice(2)], { stdio: 'inherit', env });
  let heard = null;
  const pass = (name, as = name) => {
    process.on(name, () => {
      heard ??= name;
      child.kill(as);
    });
  };
  if (process.platform === 'win32') {
    // The console sends Ctrl-C to both, and nothing else can be passed on but an end at once.
    process.on('SIGINT', () => {});
  } else {
    // A terminal sends Ctrl-C to the child too, where a second one would kill: a hang-up never does.
    pass('SIGINT', process.stdin.isTTY ? 'SIGHUP' : 'SIGINT');
    pass('SIGTERM');
    pass('SIGHUP');
    // Of a batch system. The first is Node's own too, and would open its debugger here.
    pass('SIGUSR1');
    pass('SIGUSR2');
  }
  child.on('error', ({ message }) => {
    console.error(`troupe: Node 24 of this folder cannot be started (${message}); npm install puts it there again`);
    process.exit(1);
  });
  // npm's shell passes no signal on: see src/cli/parent.ts.
  const parent = process.ppid;
  const isOfNpm = process.env.npm_lifecycle_event !== undefined || process.env.npm_execpath !== undefined;
  const watch = setInterval(() => {
    if (!isOfNpm || process.ppid === parent) return;
    clearInterval(watch);
    child.kill('SIGHUP');
  }, 1000);
  return new Promise((resolve) => {
    child.on('exit', (code, signal) => {
      clearInterval(watch);
      // It hears signals from its first module on; one that comes before that ends it as it ends any program.
      if (heard !== null && signal !== null && signal !== 'SIGKILL') console.error('troupe: interrupted');
      if (signal === 'SIGABRT')
        console.error('troupe: Node ended itself, out of memory for one; what it said is above');
      process.exitCode = code ?? 128 + (constants.signals[heard ?? signal] ?? 0);
      resolve();
    });
  });
}

// As `src/cli/compile_cache.ts` does, but before the first module of TypeScript, which then is found without its types too.
function keepCompiled() {
  process.env.NODE_COMPILE_CACHE ??= at('../.cache/compiled');
  module.enableCompileCache(process.env.NODE_COMPILE_CACHE);
}
