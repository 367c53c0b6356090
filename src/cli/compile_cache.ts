/**
 * Node's cache of compiled modules: what this process, its nodes and their workers load was read, freed of its types and
 * compiled once, at an earlier start. It is kept in this package's folder, and goes when that goes; where the folder cannot
 * be written there is none, and starting takes longer.
 */
import { enableCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../../.cache/compiled', import.meta.url));

/** For all modules from here on, unless the environment names another folder already. */
export function keepCompiled(env: NodeJS.ProcessEnv): void {
  // For children and worker threads; this thread has read its environment.
  env.NODE_COMPILE_CACHE ??= folder;
  enableCompileCache(env.NODE_COMPILE_CACHE);
}
