/** The logs of a run that goes on: which lines of metrics were lost, and which steps never had one. */
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { RunLogs } from '../../src/run/run_logs.ts';
import { stepMetrics } from '../telemetry/step.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'troupe-logs-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** The logs of a run with lines of these steps, one of which was skipped for its numbers and one for its scale. */
function logsOf(...steps: number[]): RunLogs {
  const logs = new RunLogs(folder, false);
  for (const step of steps) logs.metrics.append(stepMetrics(step));
  logs.events.append('incident', { step: 3, remedy: 'skip', evidence: 'loss is NaN' });
  appendFileSync(logs.events.path, 'no event\n');
  logs.events.append('incident', { step: 2, remedy: 'running the step again in gen 2', evidence: 'a link broke' });
  logs.events.append('loss_scale', { step: 5, from: 4, to: 2, reason: 'gradient norm is Infinity' });
  logs.events.append('loss_scale', { step: 6, from: 2, to: 4, reason: '2 steps without an overflow' });
  return logs;
}

it.each([
  ['nothing where all updates have a line', [1, 2, 4, 6, 7], { step: 6, updateStep: 4 }, []],
  ['the end of the log', [1, 2], { step: 6, updateStep: 4 }, [4, 6]],
  ['a hole in the middle', [1, 6], { step: 6, updateStep: 4 }, [2, 4]],
  ['nothing of a new run', [], { step: 0, updateStep: 0 }, []],
])('lack %s', (_what, steps, checkpoint, lost) => {
  using logs = logsOf(...steps);
  expect(logs.cutTo(checkpoint)).toEqual(lost);
});
