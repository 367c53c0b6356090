/**
 * The quickstart on a WebGPU adapter against the same on the processor: one step from each of several checkpoints of a run
 * on the processor, and a run of its own from the beginning. On a driver that computes on the processor it takes long.
 *
 * `npm run bench -- devices [--device webgpu:0] [--at 0,50,300] [--free 50] [--dispatch bf16]`
 *
 * With `--dispatch fp32` no row is rounded between router and experts, so that what is left is the devices' own.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { StepMetrics } from '../src/telemetry/index.ts';
import { gradientDistance } from './devices/gradient_distance.ts';
import { trainQuickstart, type QuickstartOptions, type Trained } from './devices/quickstart_run.ts';
import { benchAdapter, describeAdapter } from './kernels/adapter.ts';
import { machine } from './report.ts';

const options = {
  device: { type: 'string' },
  at: { type: 'string', default: '0,50,300' },
  free: { type: 'string', default: '50' },
  dispatch: { type: 'string', default: 'bf16' },
} as const;
/** The quickstart's β₁. */
const BETA = 0.9;
/** Of the processor's checkpoints. */
const INTERVAL = 50;
/** Allowed of a step from one state, and of a run of its own at its end. */
const wanted = { loss: 1e-5, gradient: 1e-4, free: 2e-2 };

export async function run(args: readonly string[]): Promise<void> {
  const { device: choice, at, free, dispatch } = parseArgs({ args: [...args], options }).values;
  const { opened, device } = await benchAdapter(choice);
  const starts = at.split(',').filter(Boolean).map(Number);
  const freeSteps = Number(free);
  // Checkpoints are made every so many steps, and the schedule goes on after the last.
  if (starts.some((step) => step % INTERVAL !== 0)) throw new Error(`--at ${at}: multiples of ${INTERVAL}`);
  const steps = Math.max(...starts, freeSteps) + 21;
  console.log(
    `devices: ${machine()}\n  ${describeAdapter(opened)}, against the cpu device; quickstart, one process, ${dispatch}`,
  );
  const folder = mkdtempSync(join(tmpdir(), 'troupe-devices-'));
  try {
    const base = { dispatch, steps, interval: INTERVAL, until: Math.max(...starts, freeSteps) + 1 };
    const cpu = await trainQuickstart(folder, { ...base, device: 'cpu' });
    console.log(`  on the processor: ${cpu.lines.size} steps, ${speedOf(cpu)}`);
    for (const start of starts) await oneStep(folder, { start, base, device, cpu });
    if (freeSteps > 0) compareCurves(cpu, await trainQuickstart(folder, { ...base, until: freeSteps, device }));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

interface OneStep {
  readonly start: number;
  readonly base: Omit<QuickstartOptions, 'device' | 'from'>;
  readonly device: string;
  readonly cpu: Trained;
}

async function oneStep(folder: string, { start, base, device, cpu }: OneStep): Promise<void> {
  const from = await cpu.checkpoints.open(start);
  const next = { ...base, interval: 1, from, until: start + 1 };
  const expected = await trainQuickstart(folder, { ...next, device: 'cpu' });
  const actual = await trainQuickstart(folder, { ...next, device });
  const [line, other] = [lineOf(expected, start + 1), lineOf(actual, start + 1)];
  const after = [await expected.checkpoints.open(start + 1), await actual.checkpoints.open(start + 1)] as const;
  const { whole, largest, tensor } = await gradientDistance(from, after, BETA);
  const isAsBefore = line.loss === lineOf(cpu, start + 1).loss;
  console.log(
    `  one step from ${start}: loss ${line.loss.toFixed(6)}, ${relative(other.loss, line.loss)} apart (wanted: ${wanted.loss}); ` +
      `gradient ${whole.toExponential(1)} (wanted: ${wanted.gradient}), largest ${largest.toExponential(1)} in ${tensor}; ` +
      `${movedTokens(line, other)}; the processor ${isAsBefore ? 'repeats its bits' : 'DOES NOT REPEAT ITS BITS'}`,
  );
}

function compareCurves(cpu: Trained, gpu: Trained): void {
  const last = Math.max(...gpu.lines.keys());
  const apart = [...gpu.lines].map(([step, { loss }]) => Math.abs(loss / lineOf(cpu, step).loss - 1));
  const [mine, other] = [lineOf(cpu, last).loss, lineOf(gpu, last).loss];
  console.log(
    `  ${last} steps on its own: loss ${mine.toFixed(4)} on the processor, ${other.toFixed(4)}, ${relative(other, mine)} apart ` +
      `(wanted: ${wanted.free}), at most ${Math.max(...apart).toExponential(1)} in any step; ${speedOf(gpu)}`,
  );
}

/** Of first choices: those that one side counts for another expert. */
function movedTokens(line: StepMetrics, other: StepMetrics): string {
  const [mine, theirs] = [line, other].map(({ expert_load }) => Object.values(expert_load).flat());
  const moved = mine.reduce((sum, count, i) => sum + Math.abs(count - theirs[i]), 0) / 2;
  return `${moved} of ${line.routed} tokens more or less of some expert`;
}

function lineOf({ lines }: Trained, step: number): StepMetrics {
  const line = lines.get(step);
  if (line === undefined) throw new Error(`the run has no step ${step}`);
  return line;
}

const relative = (actual: number, expected: number): string => Math.abs(actual / expected - 1).toExponential(1);

/** Of the fastest half: the first steps compile. */
function speedOf({ lines }: Trained): string {
  const times = [...lines.values()].map(({ step_ms }) => step_ms).sort((a, b) => a - b);
  return `${times[Math.floor(times.length / 2)].toFixed(0)} ms a step`;
}
