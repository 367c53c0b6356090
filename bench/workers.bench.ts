/**
 * What a second worker is worth: the 10.7 M Switch model on one worker, on two threads of a node (1 x 2) and on two nodes
 * (2 x 1), each as a run of the command. The bar is what the machine itself allows: two independent one-worker runs at
 * once, against one alone. Prints the main threads' share of a step beside it. Medians of interleaved rounds.
 */
import { pathToFileURL } from 'node:url';
import { machine, median } from './report.ts';
import { STEPS, train, WARM_UP, type Measured } from './switch_run.ts';

const ROUNDS = 3;

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
