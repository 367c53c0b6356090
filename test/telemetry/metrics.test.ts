/** The metrics log: one line a step, in full precision, each step once. */
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { MetricsLog, MetricsOutOfOrder, NonFiniteMetric } from '../../src/telemetry/index.ts';
import { stepMetrics } from './step.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'troupe-metrics-'));
  path = join(folder, 'metrics.jsonl');
});
afterEach(() => rmSync(folder, { recursive: true }));

const written = (): unknown[] => {
  const text = readFileSync(path, 'utf8');
  expect(text === '' || text.endsWith('\n')).toBe(true);
  return text
    .split('\n')
    .slice(0, -1)
    .map((line): unknown => JSON.parse(line));
};
const steps = (): unknown[] =>
  written().map((line) => (typeof line === 'object' && line !== null && 'step' in line ? line.step : null));

test('a line is there as soon as it was appended, with every bit of its numbers', () => {
  const log = new MetricsLog(path);
  const metrics = stepMetrics(1, { loss: 0.1 + 0.2, grad_norm: Math.fround(1 / 3), lr: 5e-324, eval_loss: 2.25 });
  log.append(metrics);
  expect(written()).toEqual([metrics]);
  log.close();
});

test('a number that is none is refused with its step and key, and nothing is written', () => {
  const log = new MetricsLog(path);
  expect(() => log.append(stepMetrics(7, { loss: NaN }))).toThrow(NonFiniteMetric);
  expect(() => log.append(stepMetrics(7, { expert_load: { 1: [3, Infinity] } }))).toThrow(
    'step 7: metric expert_load.1.1 is Infinity, which metrics.jsonl cannot hold; lower optimizer.lr and run again',
  );
  expect(written()).toEqual([]);
  log.close();
});

test('a step is logged once and never backwards', () => {
  const log = new MetricsLog(path);
  log.append(stepMetrics(3));
  expect(() => log.append(stepMetrics(3))).toThrow(MetricsOutOfOrder);
  expect(() => log.append(stepMetrics(2))).toThrow(
    `${path}: step 2 follows step 3; cut the log with truncateAfter before replaying steps`,
  );
  expect(steps()).toEqual([3]);
  log.close();
});

test('cutting after a step lets the steps behind it be replayed, and leaves the others byte for byte', () => {
  const log = new MetricsLog(path);
  for (const step of [1, 2, 3, 4]) log.append(stepMetrics(step));
  const firstTwo = readFileSync(path, 'utf8').split('\n').slice(0, 2);
  log.truncateAfter(2);
  expect(log.lastStep).toBe(2);
  log.append(stepMetrics(3, { loss: 1.5 }));
  expect(steps()).toEqual([1, 2, 3]);
  expect(readFileSync(path, 'utf8').split('\n').slice(0, 2)).toEqual(firstTwo);
  log.close();
});

test('cutting before the first step leaves an empty log that begins again', () => {
  const log = new MetricsLog(path);
  log.append(stepMetrics(1));
  log.truncateAfter(0);
  expect(log.lastStep).toBeNull();
  log.append(stepMetrics(1));
  expect(steps()).toEqual([1]);
  log.close();
});

test('a log that is opened again goes on after its last line', () => {
  const first = new MetricsLog(path);
  expect(first.lastStep).toBeNull();
  first.append(stepMetrics(1));
  first.close();
  const second = new MetricsLog(path);
  expect(second.lastStep).toBe(1);
  second.append(stepMetrics(2));
  expect(steps()).toEqual([1, 2]);
  second.close();
});

test('a last line that a crash tore is cut off', () => {
  writeFileSync(path, `${JSON.stringify(stepMetrics(1))}\n`);
  appendFileSync(path, '{"step":2,"lo');
  const log = new MetricsLog(path);
  expect(log.lastStep).toBe(1);
  log.append(stepMetrics(2));
  expect(steps()).toEqual([1, 2]);
  log.close();
});

test('a hole is told by the steps that are missing, at the end too', () => {
  const log = new MetricsLog(path);
  for (const step of [1, 2, 5]) log.append(stepMetrics(step));
  expect(log.missing(7)).toEqual([3, 4, 6, 7]);
  expect(log.missing(2)).toEqual([]);
  log.close();
});

test('a log with a foreign line is refused with the line, and left as it is', () => {
  const text = `${JSON.stringify(stepMetrics(1))}\nhello\n{"step":3}\n`;
  writeFileSync(path, text);
  expect(() => new MetricsLog(path)).toThrow(
    `${path}:2: not a line of metrics; repair or remove the file, or give another --run-dir`,
  );
  expect(readFileSync(path, 'utf8')).toBe(text);
});
