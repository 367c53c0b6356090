/** What is exported, read by a reader that shares nothing with it (`bench/peers/read_hf.py`): the logits are those of Hugging Face's classes. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { exportModel } from '../../src/run/export_model.ts';
import { importModel } from '../../src/run/import_model.ts';
import { openModel } from '../../src/run/open_model.ts';
import { variantsOf, type Expected } from '../models/golden.ts';
import { goldenFolder, jsonIn, Scratch } from './hf_kit.ts';

const scratch = new Scratch();
afterAll(() => scratch[Symbol.dispose]());

const python = process.env.PYTHON ?? 'python3';
const reader = fileURLToPath(new URL('../../bench/peers/read_hf.py', import.meta.url));

/** Logits of a folder's model, a row an id. */
function readLogits(folder: string, ids: readonly number[]): number[] {
  const { status, stdout, stderr } = spawnSync(python, [reader, folder, ids.join()], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return (JSON.parse(stdout) as number[][]).flat();
}

const farthest = (found: ArrayLike<number>, wanted: readonly number[]): number =>
  wanted.reduce((most, x, i) => Math.max(most, Math.abs(x - found[i])), 0);

const silently = { notice: (): void => undefined };

async function throughARun(folder: string, options: { readonly dtype?: 'bfloat16'; readonly shardBytes: number }) {
  const [runDir, out] = [scratch.fresh(), scratch.fresh()];
  await importModel({ folder, runDir, ...silently });
  await exportModel({ checkpointDir: runDir, folder: out, ...silently, ...options });
  return out;
}

describe.runIf(spawnSync(python, ['--version']).status === 0)('an export', () => {
  it.each(['llama', 'mixtral', 'nemotron', 'mamba'].flatMap(variantsOf))('has the logits of %s', async (name) => {
    const folder = goldenFolder(name);
    const [{ input_ids, logits }] = (jsonIn(folder, 'expected.json') as unknown as Expected).cases;
    const out = await throughARun(folder, { shardBytes: 60_000 });
    const found = readLogits(out, input_ids[0]);
    expect(found).toHaveLength(input_ids[0].length * logits.shape[2]);
    expect(farthest(found, logits.data.slice(0, found.length))).toBeLessThan(1e-4);
  });

  it('in bfloat16 has the logits that it has here', async () => {
    const ids = [3, 1, 4, 1, 5, 9, 2, 6];
    const out = await throughARun(goldenFolder('llama/base'), { dtype: 'bfloat16', shardBytes: 5e9 });
    await using model = await openModel(out, { sequenceLength: 8 });
    const [logits] = await model.logits([ids]);
    expect(farthest(logits, readLogits(out, ids))).toBeLessThan(1e-4);
  });
});
