/** The quickstart trained in this process on one device, from its beginning or from a checkpoint of another run. */
import { cpSync, mkdtempSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { train } from '../../src/run/train.ts';
import { CheckpointStore, type Checkpoint } from '../../src/checkpoints/index.ts';
import type { StepMetrics } from '../../src/telemetry/index.ts';
import { parseTopology } from '../../src/topology/index.ts';

const file = new URL('../../configs/quickstart.yaml', import.meta.url);

export interface QuickstartOptions {
  /** As `cluster.device` has it. */
  readonly device: string;
  /** `moe.dispatch_dtype`: how rows are rounded on their way to experts and back. */
  readonly dispatch: string;
  /** Of the whole schedule, which the learning rate follows. */
  readonly steps: number;
  /** Steps between checkpoints. */
  readonly interval: number;
  readonly from?: Checkpoint;
  /** The last step that is made. */
  readonly until: number;
}

export interface Trained {
  /** By step. */
  readonly lines: ReadonlyMap<number, StepMetrics>;
  readonly checkpoints: CheckpointStore;
}

/** `folder`: where run directories are made. */
export async function trainQuickstart(folder: string, options: QuickstartOptions): Promise<Trained> {
  const { device, dispatch, steps, interval, from, until } = options;
  const settings = {
    'cluster.device': device,
    'cluster.nodes': 1,
    'cluster.workers_per_node': 1,
    'cluster.nats.url': 'none',
    'moe.dispatch_dtype': dispatch,
    'training.steps': steps,
    'training.eval_interval': 0,
    'checkpoint.interval': interval,
    'checkpoint.keep': Math.ceil(steps / interval) + 1,
    'recovery.allow_class_change': true,
  };
  const overrides = Object.entries(settings).map(([key, value]) => ({ path: key.split('.'), value, source: key }));
  const topology = parseTopology(readFileSync(file, 'utf8'), file.pathname, overrides);
  const runDir = mkdtempSync(join(folder, 'run-'));
  const place = join(runDir, 'checkpoints');
  if (from !== undefined) cpSync(from.path, join(place, basename(from.path)), { recursive: true });
  const lines = new Map<number, StepMetrics>();
  const enough = new AbortController();
  await train({
    topology,
    baseDir: fileURLToPath(new URL('.', file)),
    runDir,
    resume: from !== undefined,
    signal: enough.signal,
    observe: (event) => {
      if (event.kind !== 'step') return;
      lines.set(event.metrics.step, event.metrics);
      if (event.metrics.step === until) enough.abort();
    },
  });
  return { lines, checkpoints: new CheckpointStore(place) };
}
