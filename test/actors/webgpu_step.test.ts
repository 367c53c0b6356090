/**
 * A whole run on the WebGPU device against the same on the processor: from one state a step comes to nearly the same
 * loss, gradients and routing, a few steps stay together, and twice on one device is twice the same bits.
 */
// @module-tag webgpu
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type * as admission from '../../src/actors/mixture/admission.ts';
import { CheckpointStore, float32Of, readTensors, type Checkpoint } from '../../src/checkpoints/index.ts';
import { play, smallTopology, type Played } from './kit.ts';

// Mesa's driver for the processor takes minutes to optimise shaders that run for microseconds.
process.env.GALLIVM_PERF ??= 'nopt';

/** For a driver that compiles on a busy processor, and keeps nothing on the disk. */
const compileMs = 180_000;
const STEPS = 5;
const settings = {
  'model.hidden_size': 64,
  'model.intermediate_size': 128,
  'model.max_position_embeddings': 32,
  'moe.num_experts': 4,
  // So that the host sees the next choice too, with room for all first ones.
  'moe.capacity_factor': 4,
  'moe.overflow': 'spill',
  'moe.spill_choices': 2,
  'training.steps': STEPS,
  // One by which no token lies between two experts in the first steps.
  'training.seed': 2,
  'training.sequence_length': 32,
  'training.eval_interval': 0,
  // So that the moments show the gradient itself.
  'optimizer.grad_clip': 0,
  'checkpoint.interval': 1,
};
const onCpu = smallTopology(settings);
const onGpu = smallTopology({ ...settings, 'cluster.device': 'webgpu:0' });

/** What a router saw and decided, for one microbatch of a layer. */
interface Decision {
  /** The best and the next expert of each token, and what they score. */
  readonly choices_R2: Int32Array;
  readonly scores_R2: Float32Array;
}
let decisions: Decision[] = [];
vi.mock('../../src/actors/mixture/admission.ts', async (load) => {
  const actual = await load<typeof admission>();
  return {
    ...actual,
    admit: (...args: Parameters<typeof admission.admit>) => {
      const [{ choices_RP, scores_RP }] = args;
      decisions.push({ choices_R2: choices_RP, scores_R2: scores_RP });
      return actual.admit(...args);
    },
  };
});

const root = mkdtempSync(join(tmpdir(), 'troupe-webgpu-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** A run with a checkpoint after each step. */
interface Run extends Played {
  readonly decisions: readonly Decision[];
  readonly after: (step: number) => Promise<Checkpoint>;
}

async function train(topology: typeof onCpu, from?: Checkpoint, stopAfter = STEPS): Promise<Run> {
  const directory = mkdtempSync(join(root, 'run-'));
  decisions = [];
  const played = await play(topology, { directory, stopAfter, ...(from === undefined ? {} : { from }) });
  const store = new CheckpointStore(directory);
  return { ...played, decisions, after: (step) => store.open(step) };
}

let cpu: Run;
let gpu: Run;
/** From the processor's state after two steps. */
let third: Run;
beforeAll(async () => {
  cpu = await train(onCpu);
  gpu = await train(onGpu);
  third = await train(onGpu, await cpu.after(2), 3);
}, compileMs);

/** By name, (1 − β₁) times the gradient of the step from one checkpoint to the other. */
async function gradients(before: Checkpoint, after: Checkpoint): Promise<Map<string, Float32Array>> {
  const names = [...after.fileOf.keys()].filter((name) => name.endsWith('.exp_avg'));
  const [beta] = onCpu.optimizer.betas;
  const old = new Map<string, Float32Array>();
  for await (const tensor of readTensors(before, names)) old.set(tensor.name, float32Of(tensor));
  const made = new Map<string, Float32Array>();
  for await (const tensor of readTensors(after, names)) {
    const was = old.get(tensor.name)!;
    made.set(
      tensor.name,
      float32Of(tensor).map((moment, i) => moment - beta * was[i]),
    );
  }
  return made;
}

const norm = (vector: Float32Array): number => Math.sqrt(vector.reduce((sum, x) => sum + x * x, 0));

const relative = (actual: number, expected: number): number => Math.abs(actual / expected - 1);

/** Tokens whose two best experts are told apart by more than rounding. */
function sureOf({ choices_R2, scores_R2 }: Decision): Map<number, number> {
  const sure = new Map<number, number>();
  for (let at = 0; at < choices_R2.length; at += 2) {
    if (scores_R2[at] - scores_R2[at + 1] > 1e-5) sure.set(at / 2, choices_R2[at]);
  }
  return sure;
}

it.each([
  { step: 1, run: () => gpu },
  { step: 3, run: () => third },
])('step $step from one state has the same loss, gradients and routing', async ({ step, run }) => {
  const line = run().curve.find((each) => each.step === step)!;
  expect(relative(line.loss, cpu.curve[step - 1].loss)).toBeLessThan(1e-5);

  const before = await cpu.after(step - 1);
  const [expected, actual] = [
    await gradients(before, await cpu.after(step)),
    await gradients(before, await run().after(step)),
  ];
  expect(expected.size).toBeGreaterThan(20);
  const [differences, norms]: number[][] = [[], []];
  for (const [name, gradient] of expected) {
    differences.push(norm(actual.get(name)!.map((x, i) => x - gradient[i])));
    norms.push(norm(gradient));
    // A value of a row that lies between two bf16 numbers may go to an expert as the other one.
    expect(differences.at(-1), name).toBeLessThanOrEqual(1e-3 * norms.at(-1)!);
  }
  expect(Math.hypot(...differences) / Math.hypot(...norms)).toBeLessThan(1e-4);

  const layers = cpu.decisions.length / STEPS;
  const expectedRouting = cpu.decisions.slice((step - 1) * layers, step * layers);
  expect(layers).toBe(2);
  expectedRouting.forEach((decision, layer) => {
    const { choices_R2 } = run().decisions[layer];
    const sure = sureOf(decision);
    expect(sure.size).toBeGreaterThan(0.45 * choices_R2.length);
    for (const [token, expert] of sure) expect(choices_R2[2 * token], `token ${token} of layer ${layer}`).toBe(expert);
  });
});

it('a few steps stay together', () => {
  expect(gpu.curve).toHaveLength(STEPS);
  gpu.curve.forEach(({ loss }, i) => expect(relative(loss, cpu.curve[i].loss)).toBeLessThan(1e-4));
});

it(
  'twice is twice the same bits',
  async () => {
    const { curve, digest } = await train(onGpu);
    expect({ curve, digest }).toEqual({ curve: gpu.curve, digest: gpu.digest });
  },
  compileMs,
);
