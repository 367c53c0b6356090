/**
 * A folder for the checkpoints of one test, gone after it; and small states to put into them.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { f32Tensor, i32Tensor } from '../../src/checkpoints/index.ts';
import { encodeManifest, type Manifest } from '../../src/checkpoints/manifest.ts';
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

/** Writes the manifest in `folder` anew with some of it changed: damage that its digest cannot tell. */
export function forge(folder: string, change: Partial<Manifest>): void {
  const path = join(folder, 'manifest.json');
  const {
    digest: _,
    version: _1,
    ...manifest
  } = JSON.parse(readFileSync(path, 'utf8')) as Manifest & { digest: string };
  writeFileSync(path, encodeManifest({ ...manifest, ...change }));
}

/** As the first releases wrote it: version 1, without a digest. */
export function asVersion1(folder: string): void {
  const path = join(folder, 'manifest.json');
  const { digest: _, ...manifest } = JSON.parse(readFileSync(path, 'utf8')) as Manifest & { digest: string };
  writeFileSync(path, `${JSON.stringify({ ...manifest, version: 1 }, null, 2)}\n`);
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
