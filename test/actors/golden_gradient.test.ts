/**
 * The gradients that the actors of a run compute on Hugging Face's tiny checkpoints, against those of Hugging Face's classes: one
 * step from no moments leaves (1 − β₁) times the gradient in the first moment. Two pipeline stages, and no
 * balance loss, which is another there.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import {
  CheckpointStore,
  float32Of,
  openHfTensors,
  readTensorParts,
  readTensors,
} from '../../src/checkpoints/index.ts';
import type { BatchPort } from '../../src/actors/stage/batch_port.ts';
import { handOut } from '../../src/run/hand_out.ts';
import { goldenOf, variantsOf, type Golden, type GoldenCase } from '../models/golden.ts';
import { batchOf, play } from './kit.ts';

const root = mkdtempSync(join(tmpdir(), 'troupe-golden-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** The sequences of a case, for any microbatch; labels are of the token itself. */
function batchesOf({ input_ids, labels }: GoldenCase): BatchPort {
  const tokens = Int32Array.from(input_ids.flat());
  const targets = Int32Array.from(labels!.flatMap((row) => row.map((_, t) => Math.max(row[t + 1] ?? -1, -1))));
  const weight = targets.filter((target) => target >= 0).length;
  return { weightOf: () => weight, microbatch: () => batchOf(tokens, targets) };
}

/** Length of the gradient by each parameter after one step from the golden's values, and the loss before. */
async function stepOf({ topology, folder, shapes }: Golden, given: GoldenCase, directory: string) {
  const tensors = await openHfTensors(folder);
  const { curve } = await play(topology, {
    directory,
    batches: batchesOf(given),
    tamper: ({ system, holders }) =>
      handOut(system, holders, {
        namesOf: ({ parameter: { name } }) => [name],
        parts: (names) => readTensorParts(tensors, names),
        dataStep: 0,
      }),
  });
  const { checkpoint } = await new CheckpointStore(directory).openNewestValid();
  const lengths: Record<string, number> = {};
  for await (const { name, ...tensor } of readTensors(
    checkpoint,
    [...shapes.keys()].map((name) => `${name}.exp_avg`),
  )) {
    const squares = float32Of({ name, ...tensor }).reduce((sum, x) => sum + x * x, 0);
    lengths[name.replace(/\.exp_avg$/, '')] = Math.sqrt(squares) / (1 - topology.optimizer.betas[0]);
  }
  return { loss: curve[0].loss, lengths };
}

/** Hugging Face holds experts of one layer fused, Mixtral's under another name than in files, and so their gradients. */
const fused = [
  ['gate_up_proj', /^experts\.\d+\.(gate_proj|up_proj|w1|w3)\.weight$/],
  ['down_proj', /^experts\.\d+\.(down_proj|w2)\.weight$/],
] as const;

function fuse(lengths: Readonly<Record<string, number>>): Record<string, number> {
  const squares: Record<string, number> = {};
  for (const [inFile, length] of Object.entries(lengths)) {
    const name = inFile.replace('block_sparse_moe', 'mlp');
    const [, layer = '', rest = name] = /^(.*\.mlp\.)(experts\..*)$/.exec(name) ?? [];
    const whole = fused.find(([, pattern]) => pattern.test(rest));
    const key = whole === undefined ? name : `${layer}experts.${whole[0]}`;
    squares[key] = (squares[key] ?? 0) + length ** 2;
  }
  return Object.fromEntries(Object.entries(squares).map(([name, sum]) => [name, Math.sqrt(sum)]));
}

const variants = [
  ...['llama', 'nemotron', 'mamba', 'olmoe', 'qwen3_moe'].flatMap(variantsOf),
  ...['base', 'sharded', 'sliding_window'].map((variant) => `mixtral/${variant}`),
].filter((name) => !name.endsWith('saved_by_v5'));

it.each(variants)('of %s is that of the class that wrote it', async (name) => {
  const golden = goldenOf(name);
  const given = golden.expected.cases.find(({ name: kind }) => kind === 'plain')!;
  const gradients = golden.lmGradients ?? given.grad_l2!;
  const { loss, lengths: found } = await stepOf(golden, given, join(root, name.replace('/', '-')));
  const lengths = fuse(found);
  expect(Math.abs(loss - (given.lm_loss ?? given.loss!))).toBeLessThan(1e-5);
  for (const [parameter, wanted] of Object.entries(gradients)) {
    expect(Math.abs(lengths[parameter] / wanted - 1), parameter).toBeLessThan(1e-4);
  }
  expect(Object.keys(lengths).toSorted()).toEqual(Object.keys(gradients).toSorted());
});
