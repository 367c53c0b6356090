/**
 * What a second worker is worth: the 10.7 M Switch model on one worker, on two threads of a node (1 x 2) and on two nodes
 * (2 x 1), each as a run of the command, its step divided by batch and experts; and on two threads by the batch alone, or by
 * layers. The bar is what the machine itself allows: two independent one-worker runs at once, whose tokens a second are added.
 * Prints the share of that which each reaches, and the main threads' share of a step beside it. Medians of interleaved rounds;
 * `npm run bench -- workers ROUNDS` makes another number of them.
 */
import { pathToFileURL } from 'node:url';
import { machine, median, roundsOf } from './report.ts';
import { STEPS, TOKENS_PER_STEP, train, WARM_UP, type Measured } from './switch_run.ts';

const ROUNDS = 3;

/** How two workers of a node share a step, where it is not by batch and experts both: by the batch alone, and by layers. */
const divisions = {
  'dp 2, ep 1': { 'parallelism.data_parallel': 2, 'parallelism.expert_parallel': 1 },
  'pp 2, 8 microbatches': {
    'parallelism.pipeline_parallel': 2,
    'parallelism.data_parallel': 1,
    'parallelism.expert_parallel': 1,
    'parallelism.micro_batches': 8,
  },
} as const;
const names = Object.keys(divisions) as (keyof typeof divisions)[];

/** Milliseconds a step. */
interface Round {
  readonly divided: Readonly<Record<keyof typeof divisions, Measured>>;
  readonly alone: number;
  /** Of each of two independent runs at once. */
  readonly pair: number;
  readonly threads: Measured;
  readonly nodes: Measured;
}

export async function run([given]: readonly string[] = []): Promise<void> {
  const count = roundsOf(given, ROUNDS);
  console.log(
    `workers: ${machine()}, 10.7 M Switch, 8 x 256 tokens a step, ${STEPS - WARM_UP} steps, medians of ${count} rounds`,
  );
  const rounds: Round[] = [];
  for (let round = 0; round < count; round++) {
    const alone = await train(1, 1);
    const pair = await Promise.all([train(1, 1), train(1, 1)]);
    const threads = await train(1, 2);
    const nodes = await train(2, 1);
    const divided = {
      'dp 2, ep 1': await train(1, 2, 'auto', divisions['dp 2, ep 1']),
      'pp 2, 8 microbatches': await train(1, 2, 'auto', divisions['pp 2, 8 microbatches']),
    };
    rounds.push({ alone: alone.stepMs, pair: (pair[0].stepMs + pair[1].stepMs) / 2, threads, nodes, divided });
  }
  const alone = median(rounds.map((r) => r.alone));
  const pair = median(rounds.map((r) => r.pair));
  console.log(`  one worker            ${alone.toFixed(0)} ms a step, ${speed(alone)}`);
  console.log(
    `  two independent runs  ${pair.toFixed(0)} ms a step each, ${speed(pair / 2)} together: ` +
      `this machine allows ${((2 * alone) / pair).toFixed(2)} x`,
  );
  for (const [name, wanted, of] of [
    ['1 node x 2 workers', 92, (r: Round) => r.threads],
    ['2 nodes x 1 worker', 75, (r: Round) => r.nodes],
    ...names.map((name) => [`1 node x 2, ${name}`, 92, (r: Round) => r.divided[name]] as const),
  ] as const) {
    const stepMs = median(rounds.map((r) => of(r).stepMs));
    const mainMs = median(rounds.map((r) => of(r).mainMs));
    const share = 100 * median(rounds.map((r) => r.pair / 2 / of(r).stepMs));
    console.log(
      `  ${name}    ${stepMs.toFixed(0)} ms a step, ${speed(stepMs)}, ${(alone / stepMs).toFixed(2)} x; ` +
        `share of two independent runs: ${share.toFixed(0)} % (wanted: ${wanted} %); ` +
        `main thread ${((100 * mainMs) / stepMs).toFixed(1)} % of the step`,
    );
  }
}

const speed = (stepMs: number): string => `${((1000 * TOKENS_PER_STEP) / stepMs).toFixed(0)} tokens/s`;

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await run(process.argv.slice(2));
