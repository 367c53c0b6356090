/** The logs of a run are the files that it writes as it goes; what the event log hears is written there. */
import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { describeError } from '../runtime/index.ts';
import { EventsLog, LogIo, MetricsLog, readLog } from '../telemetry/index.ts';
import type { TrainingObserver } from '../actors/training/event_log.ts';
import { FileDecisionStore } from '../actors/training/decision_store.ts';
import { heldOutName } from '../topology/index.ts';
import type { RunEvent } from './run_port.ts';

export class RunLogs implements Disposable {
  readonly metrics: MetricsLog;
  readonly events: EventsLog;
  readonly #decisionsPath: string;
  #decisions: FileDecisionStore | null = null;

  /**
   * Opens the logs of a run directory. Where the run is new, whatever an earlier attempt decided is removed. Throws
   * `DamagedLog`, `LogIo`.
   */
  constructor(runDir: string, isNew: boolean) {
    this.#decisionsPath = join(runDir, 'decisions.jsonl');
    if (isNew) rmSync(this.#decisionsPath, { force: true });
    this.metrics = new MetricsLog(join(runDir, 'metrics.jsonl'));
    this.events = new EventsLog(join(runDir, 'events.jsonl'));
  }

  /** Whether a step of a run in this directory was written down. */
  static hasSteps(runDir: string): boolean {
    return (statSync(join(runDir, 'metrics.jsonl'), { throwIfNoEntry: false })?.size ?? 0) > 0;
  }

  /** Where a run in one process decides its steps; made when first asked for. */
  get decisions(): FileDecisionStore {
    return (this.#decisions ??= new FileDecisionStore(this.#decisionsPath));
  }

  /**
   * Cuts the metrics to the checkpoint that a run goes on from. Returns the steps up to there whose lines were lost: a
   * skipped batch never had one, and the updates that were made say how many there should be.
   */
  cutTo({ step, updateStep }: { readonly step: number; readonly updateStep: number }): number[] {
    this.metrics.truncateAfter(step);
    const missing = this.metrics.missing(step);
    if (missing.length <= step - updateStep) return [];
    const skipped = skippedSteps(readLog(this.events.path));
    return missing.filter((each) => !skipped.has(each));
  }

  /** Returns once all that is written would survive a loss of power. Throws `LogIo`. */
  sync(): void {
    this.metrics.sync();
    this.events.sync();
  }

  /** Writes down what happens, then tells `observe`. `baseline`: the order-1 model's held-out loss, if there is one. */
  observer(observe: (event: RunEvent) => void, baseline: () => number | null): TrainingObserver {
    return {
      step: (metrics) => {
        this.metrics.append(metrics);
        observe({ kind: 'step', metrics });
      },
      evaluated: (step, evaluations) => {
        for (const [name, { loss, bits_per_byte: bitsPerByte }] of Object.entries(evaluations)) {
          this.events.append('evaluated', { step, name, evalLoss: loss });
          const order1Loss = name === heldOutName ? baseline() : null;
          observe({ kind: 'evaluated', step, name, evalLoss: loss, bitsPerByte, order1Loss });
        }
      },
      checkpoint: (step, path) => {
        this.events.append('checkpoint', { step, path });
        observe({ kind: 'checkpoint', step, path });
      },
      lossScale: ({ step, from, to, reason }) => {
        this.events.append('loss_scale', { step, from, to, reason });
        // Growth is as it should be; an overflow costs a batch.
        if (to < from)
          observe({
            kind: 'notice',
            text: `step ${step}: gradients overflow fp16; skipping its batch, loss scale ${to}`,
          });
      },
      incident: (step, remedy, evidence) => {
        this.events.append('incident', { step, remedy, evidence });
        observe({ kind: 'notice', text: `step ${step}: ${evidence}; ${doing(remedy)}` });
      },
      unrecorded: (what) => {
        observe({ kind: 'notice', text: what });
        this.events.append('unrecorded', { what });
      },
    };
  }

  /** Writes down why the run failed, where that can be written: a full disk is why it fails, and is said to the user. */
  failed(error: unknown): void {
    try {
      this.events.append('failed', { error: describeError(error) });
    } catch (second) {
      if (!(second instanceof LogIo)) throw second;
    }
  }

  [Symbol.dispose](): void {
    using closing = new DisposableStack();
    closing.defer(() => this.#decisions?.close());
    closing.defer(() => this.events.close());
    closing.defer(() => this.metrics.close());
  }
}

/** Steps whose batch was skipped, by the text of `events.jsonl`; lines that are no events say nothing. */
function skippedSteps(events: string): Set<number> {
  const skips = events.split('\n').flatMap((line) => {
    try {
      return [skipSchema.parse(JSON.parse(line)).step];
    } catch {
      return [];
    }
  });
  return new Set(skips);
}

const skipSchema = z.union([
  z.object({ kind: z.literal('incident'), remedy: z.literal('skip'), step: z.int() }),
  z.object({ kind: z.literal('loss_scale'), reason: z.string().startsWith('gradient norm'), step: z.int() }),
]);

/** A remedy as words for the screen; recovery's is such words already. */
function doing(remedy: string): string {
  if (remedy === 'skip') return 'skipping its batch';
  return remedy === 'stop' ? 'stopping the run' : remedy;
}
