import { expect, test } from 'vitest';
import { canRun, partsOf, type CheckName, type Finding, type Mark } from '../../../src/cli/checks/finding.ts';
import { rowsOf, verdictOf } from '../../../src/cli/checks/findings_table.ts';

const finding = (mark: Mark, check: CheckName = 'gpu', mend: string | null = null): Finding => ({
  check,
  mark,
  found: 'something',
  mend,
  facts: {},
});

test('rows are aligned, and what to do stands below what was found', () => {
  const rows = [finding('ok', 'nats-server'), finding('fail', 'cpu', "run 'this'"), finding('warn')].flatMap(rowsOf);
  expect(rows).toEqual([
    'ok    nats-server  something',
    'fail  cpu          something',
    "                   to mend: run 'this'",
    'warn  gpu          something',
  ]);
});

test.each<[Mark[], boolean, string]>([
  [['ok', 'ok'], true, 'a run can start here'],
  [['ok', 'warn'], true, 'a run can start here, with 1 warning'],
  [['warn', 'warn'], true, 'a run can start here, with 2 warnings'],
  [['warn', 'fail', 'ok'], false, 'a run cannot start here: 1 failure to mend'],
])('%j: %s', (marks, can, verdict) => {
  const findings = marks.map((mark) => finding(mark));
  expect(canRun(findings)).toBe(can);
  expect(verdictOf(findings)).toBe(verdict);
});

test('an error is parted into what is wrong and what to do', () => {
  expect(partsOf('a: b; c; run d')).toEqual({ found: 'a: b; c', mend: 'run d' });
  expect(partsOf('odd')).toEqual({ found: 'odd', mend: null });
});
