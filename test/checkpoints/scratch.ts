/**
 * A folder for the checkpoints of one test, gone after it; and small states to put into them.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { f32Tensor, i32Tensor } from '../../src/checkpoints/index.ts';
import type { CheckpointName, CheckpointStore, ManifestFields, TensorBytes } from '../../src/checkpoints/index.ts';

export function scratchFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'troupe-checkpoints-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export const FIELDS: ManifestFields = {
  runId: 'run-1',
  updateStep: 9,
  numericsClass: 'cpu/avx2/ort-1.30',
  corpusDigest: 'c0ffee',
  model: { hidden_size: 4 },
  topology: { name: 'test', data: { blend: [1, 2] } },
  extra: { decisions: [], note: null },
};

/** Two tensors whose values say which checkpoint they belong to. */
export function stateOf({ step, gen }: CheckpointName): TensorBytes[] {
  return [
    f32Tensor('layer.weight', [2, 3], Float32Array.of(step, gen, 0.5, -1, 2, 3)),
    i32Tensor('update', [], Int32Array.of(step)),
  ];
}

/** Writes a whole checkpoint of two shards; the second holds `expert.weight`. */
export async function write(store: CheckpointStore, step: number, gen: number): Promise<void> {
  const writer = await store.begin(step, gen);
  await writer.shard('stage-0', stateOf({ step, gen }));
  await writer.shard('expert-0', [f32Tensor('expert.weight', [1], Float32Array.of(step + gen))], { role: 'expert-0' });
  await writer.commit(FIELDS);
}

/** What a promise is rejected with. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}
