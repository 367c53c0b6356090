/**
 * A failure as the command line tells it: a line for each fault, and an exit code. Every layer's errors are tagged and say
 * what to do; an error without a tag is our own fault, and its line says how to see more.
 */
import { ConfigError } from '../topology/config_error.ts';
import { visibleText } from '../visible_text.ts';
import { memoryRemedy, openFilesRemedy } from './exhausted.ts';
import type { Output } from './output.ts';

export const exitCodes = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;

export interface Failure {
  readonly line: string;
  /** Lines of further faults of the same file. */
  readonly more: readonly string[];
  readonly exitCode: number;
}

/** The lines and exit code of anything thrown. */
export function failureOf(error: unknown): Failure {
  if (!(error instanceof Error)) return { line: lineOf(String(error)), more: [], exitCode: exitCodes.failed };
  const exitCode = 'exitCode' in error && typeof error.exitCode === 'number' ? error.exitCode : exitCodes.failed;
  const remedy = openFilesRemedy(error) ?? memoryRemedy(error);
  if (remedy !== null) return { line: lineOf(`${error.message}; ${remedy}`), more: [], exitCode };
  if (error instanceof ConfigError) {
    const [line = '', ...more] = error.faults.map(lineOf);
    return { line, more, exitCode };
  }
  const known = 'tag' in error || 'exitCode' in error;
  const text = known ? error.message : `${error.name}: ${error.message} (unexpected; --verbose shows where)`;
  return { line: lineOf(text), more: [], exitCode };
}

/** After these a run comes to the same again, or is not where it was; each says so. */
const ends: ReadonlySet<unknown> = new Set(['Unstable', 'RunDirectoryGone']);

/** Whether a run that has failed may be gone on with from its newest checkpoint. By the tag, which outlives its class. */
export const canGoOn = (error: unknown): boolean => !(error instanceof Error && 'tag' in error && ends.has(error.tag));

/** Prints it, with the stack where that is asked for; returns the exit code. */
export function reportFailure(error: unknown, to: Output, isVerbose: boolean): number {
  const { line: first, more, exitCode } = failureOf(error);
  for (const line of [first, ...more]) to.print(line);
  if (isVerbose && error instanceof Error && error.stack !== undefined) to.print(visibleText(error.stack));
  return exitCode;
}

/** The line of a failure or of a notice, without what a terminal would obey: either may quote somebody else's file. */
export const lineOf = (text: string): string => `troupe: ${visibleText(text.trim().replaceAll(/\s*\n\s*/g, ' '))}`;
