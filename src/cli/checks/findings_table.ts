/** Findings as a person reads them: a mark, the check, what was found, and below that what to do. */
import { styleText } from 'node:util';
import { plural } from '../figures.ts';
import { canRun, checkNames, type Finding, type Mark } from './finding.ts';

const markWidth = 4;
const nameWidth = Math.max(...checkNames.map((name) => name.length));
const colours = { ok: 'green', warn: 'yellow', fail: 'red' } as const satisfies Record<Mark, string>;

/** One or two lines, aligned with those of every other finding. */
export function rowsOf({ check, mark, found, mend }: Finding): string[] {
  // Padded before it is coloured. Plain text where the output is no terminal, or where NO_COLOR is set.
  const coloured = styleText(colours[mark], mark.padEnd(markWidth));
  const row = `${coloured}  ${check.padEnd(nameWidth)}  ${found}`;
  return mend === null ? [row] : [row, `${' '.repeat(markWidth + nameWidth + 4)}to mend: ${mend}`];
}

/** The last line. */
export function verdictOf(findings: readonly Finding[]): string {
  const count = (mark: Mark): number => findings.filter((finding) => finding.mark === mark).length;
  if (!canRun(findings)) return `a run cannot start here: ${plural(count('fail'), 'failure')} to mend`;
  const warnings = count('warn');
  return warnings === 0 ? 'a run can start here' : `a run can start here, with ${plural(warnings, 'warning')}`;
}
