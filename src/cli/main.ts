/** The entry point of the `troupe` command. Sets the exit code and lets the process end by itself. */
import { runProgram } from './program.ts';
import { dropUnread } from './unread_output.ts';

for (const stream of [process.stdout, process.stderr]) dropUnread(stream);
process.exitCode = await runProgram(process.argv.slice(2));
