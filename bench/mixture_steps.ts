/**
 * Training steps of mixtures, as runs of the command with one worker in one process: each beside what it is held against, with
 * the ratio that is wanted. All medians of the steps of one run.
 */
import { measureRun, TEN_MILLION, type Settings } from './switch_run.ts';

const WARM_UP = 4;
const STEPS = 20;

/** The quickstart on one worker. */
const base: Settings = {
  'cluster.workers_per_node': 1,
  'cluster.nats.url': 'none',
  'training.eval_interval': 0,
  'checkpoint.interval': 0,
  'optimizer.warmup_steps': 0,
};

const dropless: Settings = { 'moe.overflow': 'dropless' };

/** Median milliseconds of a step. */
async function stepMs(settings: Settings, config: 'quickstart' | 'quickstart-dense' = 'quickstart'): Promise<number> {
  const until = WARM_UP + STEPS;
  const all = { ...base, ...settings, 'training.steps': 2 * until };
  const { stepMs: ms } = await measureRun(all, WARM_UP, until, config);
  return ms;
}

/** Mixtures beside dense models with as many FLOPs for each token. */
export async function twins(): Promise<void> {
  console.log(`  a step against that of a dense model of equal active FLOPs, medians of ${STEPS} steps`);
  const quickstart = await stepMs({}, 'quickstart-dense');
  await beside('quickstart', {}, quickstart, 0.95);
  await beside('quickstart, dropless', dropless, quickstart, 1.05);
  await beside('quickstart, dropless, 64 experts', { ...dropless, 'moe.num_experts': 64 }, quickstart, 1.1);
  const larger = await stepMs(TEN_MILLION, 'quickstart-dense');
  await beside('10.7 M', TEN_MILLION, larger, 1.05);
  await beside('10.7 M, dropless', { ...TEN_MILLION, ...dropless }, larger, 1.05);
}

async function beside(name: string, settings: Settings, denseMs: number, wanted: number): Promise<void> {
  const ms = await stepMs(settings);
  const ratio = (ms / denseMs).toFixed(2);
  console.log(`    ${name}: ${ms.toFixed(0)} ms, dense ${denseMs.toFixed(0)} ms, ${ratio} x (wanted: ${wanted} x)`);
}

/** Inner width of all experts of a layer together. */
const TOGETHER = 8 * 4096;

/** More and more experts that have as many parameters together. */
export async function counts(): Promise<void> {
  console.log(`  a step by the number of experts of a layer that are as large together, medians of ${STEPS} steps`);
  const of = (experts: number) =>
    stepMs({
      ...dropless,
      'moe.num_experts': experts,
      'model.intermediate_size': JSON.stringify([512, TOGETHER / experts, 512, TOGETHER / experts]),
    });
  const few = await of(8);
  console.log(`    8 experts of 128 x ${TOGETHER / 8}: ${few.toFixed(0)} ms`);
  for (const [experts, wanted] of [
    [256, 1.2],
    [2048, 1.5],
  ]) {
    const ms = await of(experts);
    const ratio = (ms / few).toFixed(2);
    console.log(
      `    ${experts} experts of 128 x ${TOGETHER / experts}: ${ms.toFixed(0)} ms, ${ratio} x (wanted: ${wanted} x)`,
    );
  }
}

const HIDDEN = 128;
const INNER = 256;

/**
 * More and more experts of one size, in one layer and with one microbatch a step. What they may cost is the step of the dense
 * model, which does the same arithmetic, and the memory of the parameters that it lacks: weights are read forward and backward,
 * gradients written and read for their norm, and AdamW reads 16 and writes 12 bytes a parameter.
 */
export async function sizes(bytesPerMs: number): Promise<void> {
  const passes = 4;
  const bytesPerParameter = 4 * passes + 28;
  console.log(
    `  a step by the number of experts of ${HIDDEN} x ${INNER}, against the dense step and memory's time for`,
  );
  console.log(`  ${passes} passes over the weights it lacks and AdamW, ${bytesPerParameter} B a parameter`);
  const settings: Settings = {
    'model.num_hidden_layers': 2,
    'model.intermediate_size': INNER,
    'parallelism.data_parallel': 1,
    'cluster.memory_per_worker': '4GiB',
  };
  const denseMs = await stepMs(settings, 'quickstart-dense');
  for (const experts of [8, 64, 256, 2048]) {
    const ms = await stepMs({ ...settings, ...dropless, 'parallelism.expert_parallel': 1, 'moe.num_experts': experts });
    const memoryMs = ((experts - 1) * 2 * HIDDEN * INNER * bytesPerParameter) / bytesPerMs;
    const least = denseMs + memoryMs;
    console.log(
      `    ${experts} experts: ${ms.toFixed(0)} ms; ${denseMs.toFixed(0)} + ${memoryMs.toFixed(0)} ms, ` +
        `${(ms / least).toFixed(2)} x (wanted: 1.3 x)`,
    );
  }
}
