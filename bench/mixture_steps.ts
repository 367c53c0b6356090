/**
 * Training steps of mixtures, as runs of the command with one worker in one process: each beside what it is held against, with
 * the ratio that is wanted. Medians of the steps of a run, and of rounds by turns.
 */
import { median } from './report.ts';
import { measureRun, TEN_MILLION, type Settings } from './switch_run.ts';

const WARM_UP = 4;
const STEPS = 16;
const ROUNDS = 3;

/** The quickstart on one worker. */
const base: Settings = {
  'cluster.workers_per_node': 1,
  'cluster.nats.url': 'none',
  'training.eval_interval': 0,
  'checkpoint.interval': 0,
  'optimizer.warmup_steps': 0,
};

const dropless: Settings = { 'moe.overflow': 'dropless' };

/** Medians of steps, in milliseconds: what passed, and what the worker's thread took of the processor, whoever else is at work. */
interface Step {
  readonly stepMs: number;
  readonly cpuMs: number;
}

type Config = 'quickstart' | 'quickstart-dense';

async function stepOf(settings: Settings, config: Config = 'quickstart'): Promise<Step> {
  const until = WARM_UP + STEPS;
  const all = { ...base, ...settings, 'training.steps': 2 * until };
  return await measureRun(all, WARM_UP, until, config);
}

/** A mixture beside its dense model, and the ratio of their steps that is wanted. */
interface Twin {
  readonly name: string;
  readonly settings: Settings;
  readonly wanted: number;
}

const small: readonly Twin[] = [
  { name: 'quickstart', settings: {}, wanted: 0.95 },
  { name: 'quickstart, dropless', settings: dropless, wanted: 1.05 },
  { name: 'quickstart, dropless, 64 experts', settings: { ...dropless, 'moe.num_experts': 64 }, wanted: 1.1 },
];

const larger: readonly Twin[] = [
  { name: '10.7 M', settings: TEN_MILLION, wanted: 1.05 },
  { name: '10.7 M, dropless', settings: { ...TEN_MILLION, ...dropless }, wanted: 1.05 },
];

/** Mixtures beside dense models with as many FLOPs for each token. */
export async function twins(): Promise<void> {
  console.log('  a step against that of a dense model of equal active FLOPs');
  await beside({}, small);
}

/** The same of a larger model. */
export async function largerTwins(): Promise<void> {
  console.log('  a step against that of a dense model of equal active FLOPs');
  await beside(TEN_MILLION, larger);
}

/** By turns, so that what else the machine does meets all alike. */
async function beside(dense: Settings, mixtures: readonly Twin[]): Promise<void> {
  const rounds: { readonly own: Step; readonly theirs: readonly Step[] }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const own = await stepOf(dense, 'quickstart-dense');
    const theirs: Step[] = [];
    for (const { settings } of mixtures) theirs.push(await stepOf(settings));
    rounds.push({ own, theirs });
  }
  for (const [at, { name, wanted }] of mixtures.entries()) {
    const ratioOf = (of: (step: Step) => number): string =>
      median(rounds.map(({ own, theirs }) => of(theirs[at]) / of(own))).toFixed(2);
    const ms = shown(rounds.map(({ theirs }) => theirs[at]));
    const denseMs = shown(rounds.map(({ own }) => own));
    const ratios = `${ratioOf((step) => step.stepMs)} x, CPU ${ratioOf((step) => step.cpuMs)} x`;
    console.log(`    ${name}: ${ms}, dense ${denseMs}: ${ratios} (wanted: ${wanted} x)`);
  }
}

const shown = (steps: readonly Step[]): string =>
  `${median(steps.map(({ stepMs }) => stepMs)).toFixed(0)} ms (CPU ${median(steps.map(({ cpuMs }) => cpuMs)).toFixed(0)})`;

const ratios = (step: Step, least: Step): string =>
  `${(step.stepMs / least.stepMs).toFixed(2)} x, CPU ${(step.cpuMs / least.cpuMs).toFixed(2)} x`;

/** Inner width of all experts of a layer together. */
const TOGETHER = 8 * 4096;

/** More and more experts that have as many parameters together. */
export async function counts(): Promise<void> {
  console.log('  a step by the number of experts of a layer that are as large together');
  const of = (experts: number): Promise<Step> =>
    stepOf({
      ...dropless,
      'moe.num_experts': experts,
      'model.intermediate_size': JSON.stringify([512, TOGETHER / experts, 512, TOGETHER / experts]),
    });
  const few = await of(8);
  console.log(`    8 experts of 128 x ${TOGETHER / 8}: ${shown([few])}`);
  for (const [experts, wanted] of [
    [256, 1.2],
    [2048, 1.5],
  ]) {
    const step = await of(experts);
    const name = `${experts} experts of 128 x ${TOGETHER / experts}`;
    console.log(`    ${name}: ${shown([step])}, ${ratios(step, few)} (wanted: ${wanted} x)`);
  }
}

const HIDDEN = 128;
const INNER = 256;

/**
 * More and more experts of one size, in one layer and with one microbatch a step. What they may cost is the step of the dense
 * model, which does the same arithmetic, and the memory of the parameters that it lacks: weights are read forward and backward,
 * gradients written and read for their norm, and AdamW reads 16 and writes 12 bytes a parameter.
 */
export async function sizes(copySpeed: () => number): Promise<void> {
  const passes = 4;
  const bytesPerParameter = 4 * passes + 28;
  console.log(
    `  a step by the number of experts of ${HIDDEN} x ${INNER}, against the dense step and memory's time for`,
  );
  console.log(`  ${passes} passes over the weights that it lacks and AdamW, ${bytesPerParameter} B a parameter`);
  const settings: Settings = {
    'model.num_hidden_layers': 2,
    'model.intermediate_size': INNER,
    'parallelism.data_parallel': 1,
    'cluster.memory_per_worker': '4GiB',
  };
  const mixture: Settings = { ...settings, ...dropless, 'parallelism.expert_parallel': 1 };
  const dense = await stepOf(settings, 'quickstart-dense');
  console.log(`    dense: ${shown([dense])}`);
  for (const experts of [8, 64, 256, 2048]) {
    const before = copySpeed();
    const step = await stepOf({ ...mixture, 'moe.num_experts': experts });
    // The speed of memory goes up and down with what others do.
    const bytesPerMs = (before + copySpeed()) / 2;
    const memoryMs = ((experts - 1) * 2 * HIDDEN * INNER * bytesPerParameter) / bytesPerMs;
    const least = { stepMs: dense.stepMs + memoryMs, cpuMs: dense.cpuMs + memoryMs };
    const all = `${shown([step])}, memory ${memoryMs.toFixed(0)} ms at ${(bytesPerMs / 1e6).toFixed(0)} GB/s: ${ratios(step, least)}`;
    console.log(`    ${experts} experts: ${all} (wanted: 1.3 x)`);
  }
}
