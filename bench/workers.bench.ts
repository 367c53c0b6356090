/**
 * What a second worker is worth: the 10.7 M Switch model on one worker, on two threads of a node (1 x 2) and on two nodes
 * (2 x 1), each as a run of the command. The bar is what the machine itself allows: two independent one-worker runs at
 * once, against one alone. Prints the main threads' share of a step beside it. Medians of interleaved rounds.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { z } from 'zod';
import { machine, median } from './report.ts';

const ROUNDS = 3;
const WARM_UP = 4;
const STEPS = 16;

const model = {
  'model.hidden_size': 256,
  'model.intermediate_size': 1024,
  'training.global_batch_size': 8,
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

interface Measured {
  readonly stepMs: number;
  /** CPU time in a step of that main thread of a node that took most. */
  readonly mainMs: number;
}

/** Trains in a process group of its own; rejects with what it said if it fails. */
async function train(nodes: number, workers: number): Promise<Measured> {
  const runDir = mkdtempSync(join(tmpdir(), 'troupe-bench-'));
  const settings = { ...model, 'cluster.nodes': nodes, 'cluster.workers_per_node': workers };
  const sets = Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
  const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
  const args = [at('../src/cli/main.ts'), 'launch', at('../configs/quickstart.yaml'), '--quiet', '--run-dir', runDir];
  const child = spawn(process.execPath, [...args, ...sets], { stdio: ['ignore', 'ignore', 'inherit'] });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  if (code !== 0) throw new Error(`${nodes} x ${workers}: the run ended with ${code ?? 'a signal'}`);
  const lines = readFileSync(join(runDir, 'metrics.jsonl'), 'utf8').trimEnd().split('\n').slice(WARM_UP);
  rmSync(runDir, { recursive: true });
  const steps = lines.map((line) => lineSchema.parse(JSON.parse(line)));
  // A main thread has the name of its node, a worker that and its own.
  const mainOf = ({ cpu_ms }: (typeof steps)[number]): number =>
    Math.max(...Object.entries(cpu_ms).flatMap(([system, ms]) => (/^node-\d+$/.test(system) ? [ms] : [])));
  return { stepMs: median(steps.map(({ step_ms }) => step_ms)), mainMs: median(steps.map(mainOf)) };
}

export async function run(): Promise<void> {
  console.log(
    `workers: ${machine()}, 10.7 M Switch, 8 x 256 tokens a step, ${STEPS - WARM_UP} steps, medians of ${ROUNDS} rounds`,
  );
  const rounds: { alone: number; pair: number; threads: Measured; nodes: Measured }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const alone = await train(1, 1);
    const pair = await Promise.all([train(1, 1), train(1, 1)]);
    const threads = await train(1, 2);
    const nodes = await train(2, 1);
    rounds.push({ alone: alone.stepMs, pair: (pair[0].stepMs + pair[1].stepMs) / 2, threads, nodes });
  }
  const alone = median(rounds.map((r) => r.alone));
  const pair = median(rounds.map((r) => r.pair));
  const allowed = (2 * alone) / pair;
  console.log(`  one worker            ${alone.toFixed(0)} ms a step, ${((8 * 256_000) / alone).toFixed(0)} tokens/s`);
  console.log(`  two runs at once      ${pair.toFixed(0)} ms each: this machine allows ${allowed.toFixed(2)} x`);
  for (const [name, of] of [
    ['1 node x 2 workers', (r: (typeof rounds)[number]) => r.threads],
    ['2 nodes x 1 worker', (r: (typeof rounds)[number]) => r.nodes],
  ] as const) {
    const stepMs = median(rounds.map((r) => of(r).stepMs));
    const mainMs = median(rounds.map((r) => of(r).mainMs));
    const shares = rounds.map((r) => r.pair / 2 / of(r).stepMs);
    console.log(
      `  ${name}    ${stepMs.toFixed(0)} ms a step, ${(alone / stepMs).toFixed(2)} x, ` +
        `${(100 * median(shares)).toFixed(0)} % of what is allowed; main thread ${((100 * mainMs) / stepMs).toFixed(1)} % of the step`,
    );
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await run();
