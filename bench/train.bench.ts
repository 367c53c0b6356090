/**
 * Tokens a second of the 10.7 M Switch model, against PyTorch training the same model on as many tokens a step: a node of two
 * workers against one process of two threads, two nodes of a worker against two processes under DistributedDataParallel, one
 * worker against one thread; ours also in one process. Torch has the best of its settings. All sides in one run, by turns;
 * medians. `npm run bench -- train ROUNDS` makes another number of them. Needs a python3 with torch: `PYTHON` names one.
 */
import { pathToFileURL } from 'node:url';
import { machine, median, roundsOf } from './report.ts';
import { productPeak } from './product_peak.ts';
import { flopsPerStep, reachedBy, STEPS, TOKENS_PER_STEP, WARM_UP, type Reached } from './switch_run.ts';
import { bestOf, isAlone, nameOf, torchInOne, torchInTwo, tryTorch } from './torch_switch.ts';

const ROUNDS = 3;
const MEASURED = STEPS - WARM_UP;

interface Side {
  readonly name: string;
  readonly measure: () => Promise<Reached>;
}

/** One of torch's, and ours that are measured against it. */
interface Race {
  readonly torch: Side;
  readonly ours: readonly (Side & { readonly wanted: number | null })[];
}

export async function run([given]: readonly string[] = []): Promise<void> {
  const rounds = roundsOf(given, ROUNDS);
  console.log(`train: ${machine()}, Switch, ${TOKENS_PER_STEP} tokens a step`);
  const { peer, tries } = await tryTorch();
  console.log(`  ${peer}; tried for a few steps each:`);
  for (const { setting, tokensPerSecond } of tries) console.log(`    ${nameOf(setting)}: ${tokensPerSecond} tokens/s`);
  const both = bestOf(tries.filter(({ setting }) => !isAlone(setting)));
  const alone = bestOf(tries.filter(({ setting }) => isAlone(setting)));

  const races: readonly Race[] = [
    {
      torch: { name: `torch, ${nameOf(both)}`, measure: () => torchInOne(both, MEASURED) },
      ours: [
        { name: 'Troupe, a node of 2 workers', measure: () => reachedBy(1, 2, 'auto'), wanted: 1.2 },
        { name: 'Troupe, 2 workers in one process', measure: () => reachedBy(1, 2, 'none'), wanted: null },
      ],
    },
    {
      torch: {
        name: `torch, 2 processes (DDP, gloo), each ${nameOf(alone)}`,
        measure: () => torchInTwo(alone, MEASURED),
      },
      ours: [{ name: 'Troupe, 2 nodes of 1 worker', measure: () => reachedBy(2, 1, 'auto'), wanted: 1.1 }],
    },
    {
      torch: { name: `torch, ${nameOf(alone)}`, measure: () => torchInOne(alone, MEASURED) },
      ours: [
        { name: 'Troupe, a node of 1 worker', measure: () => reachedBy(1, 1, 'auto'), wanted: null },
        { name: 'Troupe, 1 worker in one process', measure: () => reachedBy(1, 1, 'none'), wanted: null },
      ],
    },
  ];
  const sides = races.flatMap(({ torch, ours }) => [torch, ...ours]);
  const results = new Map<Side, Reached[]>(sides.map((side) => [side, []]));
  for (let round = 0; round < rounds; round++) {
    for (const side of sides) results.get(side)?.push(await side.measure());
  }
  console.log(`  ${MEASURED} steps after ${WARM_UP} (torch: 2), medians of ${rounds} rounds by turns:`);
  for (const { torch, ours } of races) {
    const theirs = results.get(torch) ?? [];
    console.log(`    ${torch.name}: ${textOf(theirs)}`);
    for (const side of ours) {
      const own = results.get(side) ?? [];
      const ratios = own.map(({ tokensPerSecond }, round) => tokensPerSecond / theirs[round].tokensPerSecond);
      const wanted = side.wanted === null ? '' : ` (wanted: ${side.wanted})`;
      console.log(`    ${side.name}: ${textOf(own)}, ratio ${median(ratios).toFixed(2)}${wanted}`);
    }
  }
  await shares(races, results);
  const [two, , one] = races.map(({ torch }) => median((results.get(torch) ?? []).map((r) => r.tokensPerSecond)));
  if (one > two)
    console.log('  torch was faster with one thread than with two: other work took a core, so none of this counts');
}

/** Ours as a share of the machine's products, measured now: MFU, in which all that is no product counts as lost. */
async function shares(races: readonly Race[], results: ReadonlyMap<Side, readonly Reached[]>): Promise<void> {
  const flops = (await flopsPerStep()) / TOKENS_PER_STEP;
  for (const [race, processes, wanted] of [
    [races[2], 1, 0.88],
    [races[0], 2, 0.8],
  ] as const) {
    const peak = await productPeak(processes);
    const side = race.ours.at(-1);
    const speed = median((side === undefined ? [] : (results.get(side) ?? [])).map((r) => r.tokensPerSecond));
    const reached = (flops * speed) / 1e9;
    console.log(
      `  ${side?.name}: ${reached.toFixed(0)} of ${peak.toFixed(0)} GFLOP/s that ${processes} ${processes === 1 ? 'process makes' : 'processes make'} ` +
        `of products alone: MFU ${(reached / peak).toFixed(2)} (wanted: ${wanted})`,
    );
  }
}

function textOf(rounds: readonly Reached[]): string {
  const of = (field: keyof Reached): number => median(rounds.map((round) => round[field]));
  const speed = `${of('tokensPerSecond').toFixed(0)} tokens/s`;
  return `${speed}, cpu/wall ${of('cpuPerWall').toFixed(2)}, peak ${of('peakMiB').toFixed(0)} MiB`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await run(process.argv.slice(2));
