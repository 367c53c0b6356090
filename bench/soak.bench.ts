/**
 * An hour of the quickstart's model on two nodes: does memory stay flat, do open files and threads stay as many, are slow
 * steps rare? `npm run bench -- soak MINUTES` runs it for another time. Linux only, since it reads /proc. What is between
 * the fifth and the tenth minute (or the second sixth of a shorter run) is held against what comes after. That no frame
 * stays in a slot is checked by the run itself at each commit: it ends with `FramesHeld` where one does.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { z } from 'zod';
import { sampleTree, type ProcessSample } from './process_tree.ts';
import { machine, median } from './report.ts';

const SAMPLE_MS = 5_000;
const WARM_UP_STEPS = 4;
const lineSchema = z.object({ step: z.number(), step_ms: z.number() });

interface Moment {
  readonly minute: number;
  readonly processes: readonly ProcessSample[];
}

export async function run([minutesGiven]: readonly string[] = []): Promise<void> {
  const minutes = Number(minutesGiven ?? 60);
  const settled = Math.min(5, Number((minutes / 6).toFixed(1)));
  console.log(`soak: ${machine()}, the quickstart's model on 2 nodes x 1 worker for ${minutes} minutes`);
  const runDir = mkdtempSync(join(tmpdir(), 'troupe-soak-'));
  const child = launch(runDir);
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const moments: Moment[] = [];
  const startMs = performance.now();
  const minuteNow = (): number => (performance.now() - startMs) / 60_000;
  while (minuteNow() < minutes && child.exitCode === null) {
    await sleep(SAMPLE_MS);
    moments.push({ minute: minuteNow(), processes: sampleTree(child.pid!) });
  }
  if (child.exitCode !== null)
    throw new Error(`the run ended by itself with ${child.exitCode}; its files are in ${runDir}`);
  const pids = moments.at(-1)!.processes.map(({ pid }) => pid);
  child.kill('SIGINT');
  const code = await ended;

  const before = moments.filter(({ minute }) => minute >= settled && minute < 2 * settled);
  const after = moments.filter(({ minute }) => minute >= 2 * settled);
  console.log(
    `  process            MiB at ${settled} to ${2 * settled} min   later, most   growth at the end   files   threads`,
  );
  for (const pid of pids) {
    const of = (part: readonly Moment[], field: 'residentMiB' | 'files' | 'threads'): number[] =>
      part.flatMap(({ processes }) => processes.filter((p) => p.pid === pid).map((p) => p[field]));
    const [early, late] = [of(before, 'residentMiB'), of(after, 'residentMiB')];
    const growth = median(late.slice(-before.length)) / median(early) - 1;
    const range = (field: 'files' | 'threads'): string =>
      [...new Set([Math.min(...of(after, field)), Math.max(...of(after, field))])].join('-');
    const name = moments.at(-1)!.processes.find((p) => p.pid === pid)!.name;
    console.log(
      `  ${name.padEnd(18)} ${median(early).toFixed(0).padStart(16)} ${Math.max(...late)
        .toFixed(0)
        .padStart(13)}` +
        `${(100 * growth).toFixed(1).padStart(18)} % ${range('files').padStart(7)} ${range('threads').padStart(9)}`,
    );
  }
  const lines = readFileSync(join(runDir, 'metrics.jsonl'), 'utf8').trimEnd().split('\n').slice(WARM_UP_STEPS);
  const times = lines.map((line) => lineSchema.parse(JSON.parse(line)).step_ms).sort((a, b) => a - b);
  const at = (share: number): number => times[Math.floor(share * (times.length - 1))];
  console.log(
    `  ${times.length} steps: median ${at(0.5).toFixed(0)} ms, p99 ${at(0.99).toFixed(0)} ms ` +
      `(${(at(0.99) / at(0.5)).toFixed(2)} x), slowest ${at(1).toFixed(0)} ms`,
  );
  const left = pids.filter((pid) => sampleTree(pid).length > 0);
  console.log(`  ended with ${code ?? 'a signal'} after SIGINT; processes left: ${left.length}`);
  rmSync(runDir, { recursive: true });
}

function launch(runDir: string): ChildProcess {
  const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
  const args = [at('../src/cli/main.ts'), 'launch', at('../configs/quickstart.yaml'), '--quiet', '--run-dir', runDir];
  const nodes = ['cluster.nodes=2', 'cluster.workers_per_node=1', 'cluster.nats.url=auto'];
  const sets = nodes.flatMap((key) => ['--set', key]);
  return spawn(process.execPath, [...args, ...sets, '--steps', '1000000'], { stdio: ['ignore', 'ignore', 'inherit'] });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await run(process.argv.slice(2));
