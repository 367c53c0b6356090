/**
 * Switch against dense at equal active FLOPs: both quickstarts, the same text, three seeds each, by the command that a
 * newcomer runs. Prints the held-out losses with those of the order-1 model, and the time each run took.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { machine } from './report.ts';

const seeds = [1, 2, 3];
const arms = ['quickstart', 'quickstart-dense'];
const root = fileURLToPath(new URL('..', import.meta.url));

interface Result {
  readonly evalLoss: number;
  readonly order1Loss: number;
  readonly seconds: number;
  readonly dropped: number;
}

/** `npm run bench -- quality [KEY=VALUE ...]`: settings go to every run, for example training.steps=200. */
export function run(settings: readonly string[]): Promise<void> {
  console.log(machine());
  for (const arm of arms) {
    const results = seeds.map((seed) => train(arm, seed, settings));
    for (const [i, { evalLoss, order1Loss, seconds, dropped }] of results.entries()) {
      const figures = `held-out ${evalLoss.toFixed(4)}, order-1 ${order1Loss.toFixed(4)}, dropped ${(100 * dropped).toFixed(1)} %, ${seconds.toFixed(0)} s`;
      console.log(`${arm.padEnd(18)} seed ${seeds[i]}: ${figures}`);
    }
    const losses = results.map((result) => result.evalLoss);
    const mean = losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
    console.log(
      `${arm.padEnd(18)} mean ${mean.toFixed(4)}, min ${Math.min(...losses).toFixed(4)}, max ${Math.max(...losses).toFixed(4)}`,
    );
  }
  return Promise.resolve();
}

function train(arm: string, seed: number, settings: readonly string[]): Result {
  const folder = mkdtempSync(join(tmpdir(), 'troupe-quality-'));
  const runDir = join(folder, 'run');
  const set = [`training.seed=${seed}`, ...settings].flatMap((setting) => ['--set', setting]);
  try {
    const startMs = performance.now();
    const command = ['src/cli/main.ts', 'launch', `configs/${arm}.yaml`, ...set, '--run-dir', runDir];
    const { status, stdout, stderr } = spawnSync(process.execPath, command, { cwd: root, encoding: 'utf8' });
    if (status !== 0) throw new Error(`${arm}, seed ${seed}: ${stderr}`);
    const seconds = (performance.now() - startMs) / 1000;
    const lines = readFileSync(join(runDir, 'metrics.jsonl'), 'utf8').trimEnd().split('\n');
    const last = JSON.parse(lines[lines.length - 1]) as { eval_loss: number; dropped: number; routed: number };
    const order1Loss = Number(/order-1 model: ([\d.]+)/.exec(stdout)?.[1]);
    return {
      evalLoss: last.eval_loss,
      order1Loss,
      seconds,
      dropped: last.routed === 0 ? 0 : last.dropped / last.routed,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
