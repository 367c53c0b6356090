/**
 * A failure as the command line tells it: one line and an exit code. Every layer's errors are tagged and say what to do;
 * an error without a tag is our own fault, and its line says how to see more.
 */

export const exitCodes = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;

export interface Failure {
  readonly line: string;
  readonly exitCode: number;
}

/** The line and exit code of anything thrown. */
export function failureOf(error: unknown): Failure {
  if (!(error instanceof Error)) return { line: `troupe: ${oneLine(String(error))}`, exitCode: exitCodes.failed };
  const exitCode = 'exitCode' in error && typeof error.exitCode === 'number' ? error.exitCode : exitCodes.failed;
  const known = 'tag' in error || 'exitCode' in error;
  const line = known ? error.message : `${error.name}: ${error.message} (unexpected; --verbose shows where)`;
  return { line: `troupe: ${oneLine(line)}`, exitCode };
}

const oneLine = (text: string): string => text.trim().replaceAll(/\s*\n\s*/g, ' ');
