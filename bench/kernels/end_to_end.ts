/**
 * Training on the adapter, in one process: the quickstart's model and one of 101 M parameters, in tokens a second, against
 * PyTorch (`peers/torch_switch.py`) with the same model and batch where it has CUDA. A driver that computes on the processor
 * makes a few small steps, enough to see that the models fit and how long they take.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { Precision } from '../../src/kernels/precision.ts';
import { measureRun, type Measured, type Settings } from '../switch_run.ts';
import { precisions } from './dtype.ts';

const peerLimitMs = 60_000;

interface Model {
  readonly name: string;
  readonly hidden: number;
  readonly layers: number;
  readonly heads: number;
  readonly inner: number;
  readonly experts: number;
  /** Sequences and tokens of each in a step of a driver that computes on the processor. */
  readonly small: readonly [batch: number, tokens: number];
}

const models: readonly Model[] = [
  { name: 'quickstart, 2.7 M', hidden: 128, layers: 4, heads: 4, inner: 512, experts: 8, small: [16, 256] },
  { name: 'Switch, 101 M', hidden: 512, layers: 8, heads: 8, inner: 2048, experts: 10, small: [2, 128] },
];

interface Length {
  readonly batch: number;
  readonly tokens: number;
  /** Those that are left out of the median among them. */
  readonly steps: number;
  readonly warmUp: number;
}

function lengthOf({ small: [batch, tokens] }: Model, isSoftware: boolean): Length {
  return isSoftware ? { batch, tokens, steps: 3, warmUp: 1 } : { batch: 16, tokens: 256, steps: 32, warmUp: 8 };
}

export interface Trained {
  readonly model: string;
  readonly length: Length;
  readonly tokensPerSecond: number | null;
  /** The most memory of the process, in MiB. */
  readonly peakMiB: number | null;
  readonly torchTokensPerSecond: number | null;
}

export interface TrainingOptions {
  readonly isSoftware: boolean;
  /** As `cluster.device` has it. */
  readonly device: string;
  readonly dtype: Precision;
  /** Nothing is trained unless it has this in its name. */
  readonly only: string;
}

export async function trainOnGpu({ isSoftware, device, dtype, only }: TrainingOptions): Promise<Trained[]> {
  const asked = models.filter((model) => `training ${model.name}`.includes(only));
  if (asked.length > 0) console.log(`  training in one process, training.precision ${precisions[dtype]}:`);
  const trained: Trained[] = [];
  for (const model of asked) {
    const length = lengthOf(model, isSoftware);
    const torchTokensPerSecond = trainInTorch(model, length, dtype);
    const measured = await measure(model, length, {
      'cluster.device': device,
      'training.precision': precisions[dtype],
    });
    const { batch, tokens } = length;
    const tokensPerSecond = measured === null ? null : (1000 * batch * tokens) / measured.stepMs;
    const each = {
      model: model.name,
      length,
      tokensPerSecond,
      peakMiB: measured?.peakMiB ?? null,
      torchTokensPerSecond,
    };
    console.log(`    ${lineOf(each)}`);
    trained.push(each);
  }
  return trained;
}

function lineOf({ model, length, tokensPerSecond, peakMiB, torchTokensPerSecond: torch }: Trained): string {
  const { batch, tokens, steps, warmUp } = length;
  const sizes = `${model}, ${batch} x ${tokens} tokens a step, median of ${steps - warmUp} steps after ${warmUp}`;
  if (tokensPerSecond === null) return `${sizes}: FAILED, torch ${torch ?? 'absent'}`;
  const ratio = torch === null ? '' : `, ${(tokensPerSecond / torch).toFixed(2)} x`;
  const stepMs = (1000 * batch * tokens) / tokensPerSecond;
  return (
    `${sizes}: ${tokensPerSecond.toFixed(0)} tokens/s, ${stepMs.toFixed(0)} ms a step, ` +
    `${peakMiB?.toFixed(0)} MiB of memory, torch ${torch ?? 'absent'}${ratio}`
  );
}

const settingsOf = ({ hidden, layers, heads, inner, experts }: Model, { batch, tokens, steps }: Length): Settings => ({
  'model.hidden_size': hidden,
  'model.num_hidden_layers': layers,
  'model.num_attention_heads': heads,
  'model.intermediate_size': inner,
  'moe.num_experts': experts,
  'parallelism.data_parallel': 1,
  'parallelism.expert_parallel': 1,
  // Texts that are there wherever the benchmark is.
  'data.blend': '[{ name: code, glob: "../src/**/*.ts" }]',
  // Never made to the end: see `measureRun`. In fp16 the first few may be skipped, and have no line.
  'training.steps': 2 * steps + 16,
  'training.global_batch_size': batch,
  'training.sequence_length': tokens,
  'training.eval_interval': 0,
  'checkpoint.interval': 0,
  'optimizer.warmup_steps': 0,
  'cluster.nodes': 1,
  'cluster.workers_per_node': 1,
  'cluster.memory_per_worker': '4GiB',
  'cluster.nats.url': 'none',
});

async function measure(model: Model, length: Length, settings: Settings): Promise<Measured | null> {
  try {
    return await measureRun({ ...settingsOf(model, length), ...settings }, length.warmUp, length.steps);
  } catch (error) {
    console.error(error);
    return null;
  }
}

const peer = fileURLToPath(new URL('../peers/torch_switch.py', import.meta.url));
const answerSchema = z.object({ tokens_per_s: z.number() });

function trainInTorch(
  { hidden, layers, heads, inner, experts }: Model,
  { batch, tokens, steps }: Length,
  dtype: Precision,
): number | null {
  const sizes = { 'd-model': hidden, layers, heads, 'd-ff': inner, experts, batch, seq: tokens, vocab: 256 };
  const args = Object.entries({ ...sizes, steps, device: 'cuda', dtype }).flatMap(([key, value]) => [
    `--${key}`,
    `${value}`,
  ]);
  const { status, stdout } = spawnSync(process.env.PYTHON ?? 'python3', [peer, ...args], {
    encoding: 'utf8',
    timeout: peerLimitMs,
    killSignal: 'SIGKILL',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return status === 0 ? answerSchema.parse(JSON.parse(stdout)).tokens_per_s : null;
}
