/** The entry point of the `troupe` command. Sets the exit code and lets the process end by itself. */
import { keepCompiled } from './compile_cache.ts';
import { dropUnread } from './unread_output.ts';

keepCompiled(process.env);
for (const stream of [process.stdout, process.stderr]) dropUnread(stream);
const { runProgram } = await import('./program.ts');
process.exitCode = await runProgram(process.argv.slice(2));
