/** The entry point of the `troupe` command. Sets the exit code and lets the process end by itself. */
import { runProgram } from './program.ts';

process.exitCode = await runProgram(process.argv.slice(2));
