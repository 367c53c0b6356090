/**
 * Training on the adapter, in one process: the quickstart's model and one of 101 M parameters, in tokens a second, against
 * PyTorch (`peers/torch_switch.py`) with the same model and batch where it has CUDA.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { OpenAdapter } from '../../src/kernels/webgpu/adapters.ts';
import { measureRun, type Settings } from '../switch_run.ts';

const STEPS = 32;
const WARM_UP = 8;
const peerLimitMs = 120_000;

interface Sizes {
  readonly name: string;
  readonly hidden: number;
  readonly layers: number;
  readonly heads: number;
  readonly inner: number;
  readonly experts: number;
}

const BATCH = 16;
const TOKENS = 256;
const models: readonly Sizes[] = [
  { name: 'quickstart, 2.7 M', hidden: 128, layers: 4, heads: 4, inner: 512, experts: 8 },
  { name: 'Switch, 101 M', hidden: 512, layers: 8, heads: 8, inner: 2048, experts: 10 },
];

export interface Trained {
  readonly model: string;
  readonly tokensPerSecond: number | null;
  readonly torchTokensPerSecond: number | null;
}

/** `device` as `cluster.device` has it. Nothing is trained unless what is asked for has `only` in its name. */
export async function trainOnGpu({ isSoftware, name }: OpenAdapter, device: string, only: string): Promise<Trained[]> {
  const asked = models.filter((model) => `training ${model.name}`.includes(only));
  if (asked.length === 0) return [];
  if (isSoftware) {
    console.log(`  training: left out, since ${name} computes on the processor`);
    return [];
  }
  console.log(`  training in one process, ${BATCH} x ${TOKENS} tokens a step, medians of ${STEPS - WARM_UP} steps:`);
  const trained: Trained[] = [];
  for (const model of asked) {
    const torchTokensPerSecond = trainInTorch(model);
    const tokensPerSecond = await speedOf(model, device);
    const ratio =
      tokensPerSecond === null || torchTokensPerSecond === null
        ? ''
        : `, ${(tokensPerSecond / torchTokensPerSecond).toFixed(2)} x`;
    console.log(
      `    ${model.name}: ${tokensPerSecond?.toFixed(0) ?? 'FAILED,'} tokens/s, ` +
        `torch ${torchTokensPerSecond ?? 'absent'}${ratio}`,
    );
    trained.push({ model: model.name, tokensPerSecond, torchTokensPerSecond });
  }
  return trained;
}

const settingsOf = ({ hidden, layers, heads, inner, experts }: Sizes): Settings => ({
  'model.hidden_size': hidden,
  'model.num_hidden_layers': layers,
  'model.num_attention_heads': heads,
  'model.intermediate_size': inner,
  'moe.num_experts': experts,
  'parallelism.data_parallel': 1,
  'parallelism.expert_parallel': 1,
  // Texts that are there wherever the benchmark is.
  'data.blend': '[{ name: code, glob: "../src/**/*.ts" }]',
  'training.steps': STEPS,
  'training.eval_interval': 0,
  'checkpoint.interval': 0,
  'optimizer.warmup_steps': 0,
  'cluster.nodes': 1,
  'cluster.workers_per_node': 1,
  'cluster.memory_per_worker': '4GiB',
  'cluster.nats.url': 'none',
});

async function speedOf(model: Sizes, device: string): Promise<number | null> {
  try {
    const { stepMs } = await measureRun({ ...settingsOf(model), 'cluster.device': device }, WARM_UP);
    return (1000 * BATCH * TOKENS) / stepMs;
  } catch (error) {
    console.error(error);
    return null;
  }
}

const peer = fileURLToPath(new URL('../peers/torch_switch.py', import.meta.url));
const answerSchema = z.object({ tokens_per_s: z.number() });

function trainInTorch({ hidden, layers, heads, inner, experts }: Sizes): number | null {
  const sizes = { 'd-model': hidden, layers, heads, 'd-ff': inner, experts, batch: BATCH, seq: TOKENS, vocab: 256 };
  const args = Object.entries({ ...sizes, steps: STEPS, device: 'cuda' }).flatMap(([key, value]) => [
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
