/**
 * `metrics.jsonl`: the curve of a run, one JSON object a step, numbers in full precision. Append-only, except that a run
 * which goes back to a checkpoint first cuts the log there, so that the file holds each step once and in order.
 */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { AppendedFile, readLog, writing } from './appended_file.ts';
import { DamagedLog, MetricsOutOfOrder, NonFiniteMetric } from './errors.ts';
import type { StepMetrics } from './step_metrics.ts';

export class MetricsLog {
  readonly path: string;
  #file: AppendedFile;
  #lastStep: number;

  /** Opens or creates the log; a torn last line, left by a crash, is cut off. Throws DamagedLog and LogIo. */
  constructor(path: string) {
    this.path = path;
    this.#file = new AppendedFile(path);
    try {
      this.#lastStep = completeLines(path).at(-1)?.step ?? -Infinity;
    } catch (error) {
      this.#file.close();
      throw error;
    }
  }

  /** Step of the last line; null where there is none. */
  get lastStep(): number | null {
    return this.#lastStep === -Infinity ? null : this.#lastStep;
  }

  /**
   * Appends one line and hands it to the system. Throws NonFiniteMetric, MetricsOutOfOrder and LogIo; then
   * nothing is written.
   */
  append(metrics: StepMetrics): void {
    refuseNonFinite(metrics, metrics.step, '');
    if (metrics.step <= this.#lastStep) throw new MetricsOutOfOrder(this.path, metrics.step, this.#lastStep);
    this.#file.append(JSON.stringify(metrics));
    this.#lastStep = metrics.step;
  }

  /** Drops every line of a step after `step`: what a run does when it resumes from that step. */
  truncateAfter(step: number): void {
    this.#file.close();
    const kept = completeLines(this.path).filter((line) => line.step <= step);
    rewrite(this.path, kept);
    this.#lastStep = kept.at(-1)?.step ?? -Infinity;
    this.#file = new AppendedFile(this.path);
  }

  /** Of the steps from 1 to `step` those without a line, in order. */
  missing(step: number): number[] {
    const logged = new Set(completeLines(this.path).map((line) => line.step));
    return Array.from({ length: step }, (_, i) => i + 1).filter((each) => !logged.has(each));
  }

  /** Returns once the lines would survive a loss of power. Throws `LogIo`. */
  sync(): void {
    this.#file.sync();
  }

  /** Waits until the lines are on disk, and closes the file. */
  close(): void {
    if (!this.#file.isOpen) return;
    try {
      this.sync();
    } finally {
      this.#file.close();
    }
  }
}

interface Line {
  readonly step: number;
  readonly text: string;
}

/** Whole lines, as they were written; what follows the last newline was torn. */
function completeLines(path: string): Line[] {
  const texts = readLog(path).split('\n').slice(0, -1);
  return texts.map((text, index) => {
    const step = stepOf(text);
    if (step === null) throw new DamagedLog(path, index + 1);
    return { step, text };
  });
}

function stepOf(text: string): number | null {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || !('step' in value)) return null;
    return typeof value.step === 'number' ? value.step : null;
  } catch {
    return null;
  }
}

/** Whole or not at all: a crash leaves the old file or the new one. */
function rewrite(path: string, lines: readonly Line[]): void {
  const temporary = `${path}.new`;
  writing(path, () => {
    try {
      writeFileSync(temporary, lines.map((line) => `${line.text}\n`).join(''), { flush: true });
      renameSync(temporary, path);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    }
  });
}

function refuseNonFinite(value: unknown, step: number, key: string): void {
  if (typeof value === 'number' && !Number.isFinite(value)) throw new NonFiniteMetric(step, key, value);
  if (typeof value !== 'object' || value === null) return;
  for (const [name, inner] of Object.entries(value)) refuseNonFinite(inner, step, key === '' ? name : `${key}.${name}`);
}
