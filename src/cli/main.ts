/** The entry point of the `troupe` command. Sets the exit code and lets the process end by itself. */
import { keepCompiled } from './compile_cache.ts';
import { hearEarly, hearPending } from './early_interrupt.ts';
import { tooFewOpenFiles } from './open_files.ts';

hearEarly();
keepCompiled(process.env);
const tooFew = tooFewOpenFiles();
if (tooFew === null) {
  const { runProgram } = await import('./program.ts');
  await hearPending();
  process.exitCode = await runProgram(process.argv.slice(2));
} else {
  // Not even the modules could be loaded.
  console.error(`troupe: ${tooFew}`);
  process.exitCode = 1;
}
