/** A run of the command, measured by what it writes down, and the 10.7 M Switch model. What several benchmarks share. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { runSpecOf } from '../src/actors/placement/run_spec.ts';
import { planRun } from '../src/run/plan.ts';
import { parseTopology } from '../src/topology/index.ts';
import { watchPeak } from './peak_memory.ts';
import { median } from './report.ts';

export const WARM_UP = 4;
export const STEPS = 16;
/** 8 sequences of 256. */
export const TOKENS_PER_STEP = 2048;

/** Keys set as by `--set`. */
export type Settings = Readonly<Record<string, string | number>>;

/** Makes the quickstart the 10.7 M Switch model, on `TOKENS_PER_STEP`. */
export const TEN_MILLION: Settings = {
  'model.hidden_size': 256,
  'model.intermediate_size': 1024,
  'training.global_batch_size': 8,
};

const model: Settings = {
  ...TEN_MILLION,
  'training.steps': STEPS,
  'training.eval_interval': 0,
  'checkpoint.interval': 0,
  'optimizer.warmup_steps': 0,
};

const lineSchema = z.object({
  step_ms: z.number(),
  tokens: z.number(),
  cpu_ms: z.record(z.string(), z.number()),
});

export interface Measured {
  readonly stepMs: number;
  /** CPU time in a step of that main thread of a node that took most. */
  readonly mainMs: number;
  /** CPU time of all its threads in a step. */
  readonly cpuMs: number;
  /** The same as a share of the step: how many cores it used. */
  readonly cpuPerWall: number;
  /** The most memory of all its processes at once. */
  readonly peakMiB: number;
}

/** What a side of a race reached, ours or a peer. */
export interface Reached {
  readonly tokensPerSecond: number;
  /** Cores that it used. */
  readonly cpuPerWall: number;
  readonly peakMiB: number;
}

/** Exit code of a run that Ctrl-C ended. */
const INTERRUPTED = 130;

/** Of metrics.jsonl: the steps so far. */
function linesOf(runDir: string): string[] {
  const path = join(runDir, 'metrics.jsonl');
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').filter(Boolean) : [];
}

/**
 * Trains the 10.7 M model in processes of its own, joined by a nats-server of their own, or with `none` in one process;
 * rejects with what it said if it fails.
 */
export function train(
  nodes: number,
  workers: number,
  nats: 'auto' | 'none' = 'auto',
  settings: Settings = {},
): Promise<Measured> {
  const cluster = { 'cluster.nodes': nodes, 'cluster.workers_per_node': workers, 'cluster.nats.url': nats };
  return measureRun({ ...model, ...cluster, ...settings }, WARM_UP);
}

/** FLOPs of a step of the 10.7 M model, a multiply-add counted as two, each token at its one expert: what the plan counts. */
export async function flopsPerStep(): Promise<number> {
  const path = fileURLToPath(new URL('../configs/quickstart.yaml', import.meta.url));
  const overrides = Object.entries(model).map(([key, value]) => ({ path: key.split('.'), value, source: key }));
  const topology = parseTopology(readFileSync(path, 'utf8'), path, overrides);
  const { workers } = await planRun(await runSpecOf({ topology, baseDir: dirname(path), vocabulary: 256 }));
  return workers.reduce((sum, { flops }) => sum + flops, 0);
}

/** What `train` reaches. */
export async function reachedBy(nodes: number, workers: number, nats: 'auto' | 'none'): Promise<Reached> {
  const { stepMs, cpuPerWall, peakMiB } = await train(nodes, workers, nats);
  return { tokensPerSecond: (1000 * TOKENS_PER_STEP) / stepMs, cpuPerWall, peakMiB };
}

/**
 * A run of a topology below `configs/`, the quickstart unless told otherwise, with keys set as by `--set`, without its first `warmUp`
 * steps. With `until` it is interrupted after so many: then it writes no sample, which of a large model takes longer than a few steps.
 */
export async function measureRun(
  settings: Settings,
  warmUp: number,
  until?: number,
  config = 'quickstart',
): Promise<Measured> {
  const runDir = mkdtempSync(join(tmpdir(), 'troupe-bench-'));
  const sets = Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
  const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
  const args = [at('../src/cli/main.ts'), 'launch', at(`../configs/${config}.yaml`), '--quiet', '--run-dir', runDir];
  const child = spawn(process.execPath, [...args, ...sets], { stdio: ['ignore', 'ignore', 'inherit'] });
  const endWatch = watchPeak(child);
  const timer = setInterval(() => {
    if (until === undefined || linesOf(runDir).length < until) return;
    clearInterval(timer);
    child.kill('SIGINT');
  }, 100);
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  clearInterval(timer);
  const peakMiB = endWatch();
  const lines = linesOf(runDir).slice(warmUp, until);
  rmSync(runDir, { recursive: true });
  if (code !== (until === undefined ? 0 : INTERRUPTED))
    throw new Error(`${sets.join(' ')}: the run ended with ${code ?? 'a signal'}`);
  const steps = lines.map((line) => lineSchema.parse(JSON.parse(line)));
  // A main thread has the name of its node, a worker that and its own.
  const mainOf = ({ cpu_ms }: (typeof steps)[number]): number =>
    Math.max(...Object.entries(cpu_ms).flatMap(([system, ms]) => (/^node-\d+$/.test(system) ? [ms] : [])));
  const cpuOf = ({ cpu_ms }: (typeof steps)[number]): number => Object.values(cpu_ms).reduce((sum, ms) => sum + ms, 0);
  return {
    stepMs: median(steps.map(({ step_ms }) => step_ms)),
    mainMs: median(steps.map(mainOf)),
    cpuMs: median(steps.map(cpuOf)),
    cpuPerWall: median(steps.map((step) => cpuOf(step) / step.step_ms)),
    peakMiB,
  };
}
