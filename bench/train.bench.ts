/**
 * Tokens a second of the 10.7 M Switch model, against PyTorch training the same model (`peers/torch_switch.py`) at the best
 * of the kernels, BLAS threads and own threads it can be given here: two workers against its best, one worker against its best
 * with one thread of each; ours as a node joined by NATS, and in one process, as PyTorch is. All sides in one run, by turns;
 * medians. Needs a python3 with torch: on Debian,
 * `apt-get install python3-torch libopenblas0-pthread`.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { z } from 'zod';
import { watchPeak } from './peak_memory.ts';
import { machine, median } from './report.ts';
import { STEPS, TOKENS_PER_STEP, train, WARM_UP } from './switch_run.ts';

const ROUNDS = 3;
const peer = fileURLToPath(new URL('./peers/torch_switch.py', import.meta.url));
const resultSchema = z.object({
  peer: z.string(),
  params: z.number(),
  tokens_per_s: z.number(),
  cpu_per_wall: z.number(),
});

interface Setting {
  /** OpenBLAS's kernels; empty for those that it chooses. */
  readonly core: string;
  readonly blas: number;
  readonly own: number;
}

/** What a side reached in a round. */
interface Reached {
  readonly tokensPerSecond: number;
  /** Cores that it used. */
  readonly cpuPerWall: number;
  readonly peakMiB: number;
}

const settings: readonly Setting[] = ['', 'Haswell', 'SkylakeX'].flatMap((core) =>
  [1, 2].flatMap((blas) => [1, 2].map((own) => ({ core, blas, own }))),
);

const nameOf = ({ core, blas, own }: Setting): string =>
  `${core === '' ? 'own choice' : core}, BLAS threads ${blas}, torch threads ${own}`;

async function torch(setting: Setting, steps: number): Promise<z.output<typeof resultSchema> & { peakMiB: number }> {
  const { core, blas, own } = setting;
  const env = {
    ...process.env,
    OPENBLAS_NUM_THREADS: String(blas),
    ...(core === '' ? {} : { OPENBLAS_CORETYPE: core }),
  };
  const args = [peer, '--vocab', '256', '--threads', String(own), '--steps', String(steps)];
  const child = spawn(process.env.PYTHON ?? 'python3', args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  const endWatch = watchPeak(child);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const peakMiB = endWatch();
  if (code !== 0) throw new Error(`${peer}: ended with ${code ?? 'a signal'}; PYTHON names a python3 that has torch`);
  return { ...resultSchema.parse(JSON.parse(Buffer.concat(chunks).toString())), peakMiB };
}

export async function run(): Promise<void> {
  console.log(`train: ${machine()}, Switch, ${TOKENS_PER_STEP} tokens a step`);
  const tried: { readonly setting: Setting; readonly tokensPerSecond: number }[] = [];
  for (const setting of settings) {
    const { peer: version, params, tokens_per_s, cpu_per_wall } = await torch(setting, 6);
    if (tried.length === 0) console.log(`  ${version}, ${(params / 1e6).toFixed(1)} M parameters; 4 steps of each:`);
    console.log(`    ${nameOf(setting)}: ${tokens_per_s} tokens/s, cpu/wall ${cpu_per_wall}`);
    tried.push({ setting, tokensPerSecond: tokens_per_s });
  }
  const best = bestOf(tried);
  const bestAlone = bestOf(tried.filter(({ setting }) => setting.blas === 1 && setting.own === 1));

  const sides: readonly (readonly [name: string, measure: () => Promise<Reached>])[] = [
    [`torch, ${nameOf(best)}`, () => torchSpeed(best)],
    ['Troupe, a node of 2 workers', () => troupe(2, 'auto')],
    ['Troupe, 2 workers in one process', () => troupe(2, 'none')],
    [`torch, ${nameOf(bestAlone)}`, () => torchSpeed(bestAlone)],
    ['Troupe, a node of 1 worker', () => troupe(1, 'auto')],
    ['Troupe, 1 worker in one process', () => troupe(1, 'none')],
  ];
  const rounds: Reached[][] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const speeds: Reached[] = [];
    for (const [, measure] of sides) speeds.push(await measure());
    rounds.push(speeds);
  }
  console.log(`  ${STEPS - WARM_UP} steps after ${WARM_UP}, medians of ${ROUNDS} rounds:`);
  for (const [side, [name]] of sides.entries()) {
    const speed = median(rounds.map((round) => round[side].tokensPerSecond));
    const cores = median(rounds.map((round) => round[side].cpuPerWall));
    const peak = median(rounds.map((round) => round[side].peakMiB));
    console.log(`    ${name}: ${speed.toFixed(0)} tokens/s, cpu/wall ${cores.toFixed(2)}, peak ${peak.toFixed(0)} MiB`);
  }
  const ratio = (ours: number, theirs: number): string =>
    median(rounds.map((round) => round[ours].tokensPerSecond / round[theirs].tokensPerSecond)).toFixed(2);
  console.log(`  ratio: 2 workers ${ratio(1, 0)}, in one process ${ratio(2, 0)}`);
  console.log(`  ratio: 1 worker ${ratio(4, 3)}, in one process ${ratio(5, 3)}`);
}

async function troupe(workers: number, nats: 'auto' | 'none'): Promise<Reached> {
  const { stepMs, cpuPerWall, peakMiB } = await train(1, workers, nats);
  return { tokensPerSecond: (1000 * TOKENS_PER_STEP) / stepMs, cpuPerWall, peakMiB };
}

async function torchSpeed(setting: Setting): Promise<Reached> {
  // It leaves out two steps itself.
  const { tokens_per_s, cpu_per_wall, peakMiB } = await torch(setting, STEPS - WARM_UP + 2);
  return { tokensPerSecond: tokens_per_s, cpuPerWall: cpu_per_wall, peakMiB };
}

const bestOf = (tried: readonly { readonly setting: Setting; readonly tokensPerSecond: number }[]): Setting =>
  tried.reduce((a, b) => (b.tokensPerSecond > a.tokensPerSecond ? b : a)).setting;

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await run();
