/** Models as Hugging Face lays them out, in and out: what comes out of what went in, trained or not, and what is computed in between. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exportModel, type ExportOptions } from '../../src/run/export_model.ts';
import { importModel } from '../../src/run/import_model.ts';
import { openModel } from '../../src/run/open_model.ts';
import type { Override } from '../../src/topology/index.ts';
import { variantsOf, type Expected } from '../models/golden.ts';
import { changeConfig, goldenFolder, jsonIn, namesIn, Scratch, tensorsIn, writeTensors } from './hf_kit.ts';

const scratch = new Scratch();
afterAll(() => scratch[Symbol.dispose]());

const set = (key: string, value: unknown): Override => ({ path: key.split('.'), value, source: `--set ${key}` });

interface Imported {
  readonly runDir: string;
  readonly said: string[];
}

async function imported(folder: string, overrides: readonly Override[] = []): Promise<Imported> {
  const [runDir, said]: [string, string[]] = [scratch.fresh(), []];
  await importModel({ folder, runDir, overrides, notice: (text) => said.push(text.replace(folder, 'DIR')) });
  return { runDir, said };
}

async function exported(checkpointDir: string, options: Partial<ExportOptions> = {}): Promise<string> {
  const folder = scratch.fresh();
  await exportModel({ checkpointDir, folder, shardBytes: 5e9, notice: () => undefined, ...options });
  return folder;
}

const textIn = (folder: string, file: string): string => readFileSync(join(folder, file), 'utf8');

it.each(['llama', 'mixtral', 'olmoe', 'qwen3_moe', 'nemotron', 'mamba'].flatMap(variantsOf))(
  'what was imported comes out as it went in: %s',
  async (name) => {
    const folder = goldenFolder(name);
    const { runDir, said } = await imported(folder);
    expect(said).toEqual(['DIR has no tokenizer.json: the run has no tokenizer, and goes by ids']);
    const out = await exported(runDir);
    expect(namesIn(out)).toEqual(['config.json', 'generation_config.json', 'model.safetensors']);
    for (const file of ['config.json', 'generation_config.json']) expect(textIn(out, file)).toBe(textIn(folder, file));
    expect(tensorsIn(out)).toEqual(tensorsIn(folder));
  },
);

describe('an imported model', () => {
  const folder = goldenFolder('mixtral/sharded');
  let runDir: string;
  beforeAll(async () => {
    ({ runDir } = await imported(folder));
  });

  it('goes on with the words that Hugging Face goes on with', async () => {
    const { generation } = jsonIn(folder, 'expected.json') as unknown as Expected;
    await using model = await openModel(runDir, { sequenceLength: 24 });
    const tokens: number[] = [];
    for await (const { token } of model.generate({ prompt: generation.prompt_ids, maxTokens: 16 })) tokens.push(token);
    expect(tokens).toEqual(generation.new_tokens);
  });

  it('is in shards of the size that is asked for, under the names that Hugging Face has for them', async () => {
    const out = await exported(runDir, { shardBytes: 70_000 });
    const shards = [1, 2, 3].map((n) => `model-0000${n}-of-00003.safetensors`);
    expect(namesIn(out)).toEqual(['config.json', 'generation_config.json', ...shards, 'model.safetensors.index.json']);
    expect(tensorsIn(out)).toEqual(tensorsIn(folder));
    const { metadata, weight_map } = jsonIn(out, 'model.safetensors.index.json');
    const tensors = tensorsIn(out);
    expect(metadata).toEqual({ total_size: [...tensors.values()].reduce((sum, { hex }) => sum + hex.length / 2, 0) });
    expect(Object.keys(weight_map as object)).toEqual([...tensors.keys()].sort());
    const again = await exported((await imported(out)).runDir);
    expect(tensorsIn(again)).toEqual(tensors);
  });

  it('is in another dtype where that is asked for, rounded, and says so', async () => {
    const out = await exported(runDir, { dtype: 'bfloat16' });
    expect(jsonIn(out, 'config.json')).toEqual({ ...jsonIn(folder, 'config.json'), dtype: 'bfloat16' });
    expect(new Set([...tensorsIn(out).values()].map(({ dtype }) => dtype))).toEqual(new Set(['BF16']));
    const narrow = await exported((await imported(out)).runDir);
    expect(tensorsIn(narrow)).toEqual(tensorsIn(out));
    // What bfloat16 has, float32 has too.
    const wide = await exported((await imported(out)).runDir, { dtype: 'float32' });
    expect(tensorsIn(await exported((await imported(wide)).runDir, { dtype: 'bfloat16' }))).toEqual(tensorsIn(out));
  });

  it('says what has been changed of it, and only that, in the version of its config', async () => {
    const change = [set('model.max_position_embeddings', 256), set('model.rope_theta', 20_000)];
    const before = jsonIn(goldenFolder('nemotron/saved_by_v5'), 'config.json');
    const out = await exported((await imported(goldenFolder('nemotron/saved_by_v5'), change)).runDir);
    const { rope_parameters } = before as { rope_parameters: object };
    expect(jsonIn(out, 'config.json')).toEqual({
      ...before,
      max_position_embeddings: 256,
      rope_parameters: { ...rope_parameters, rope_theta: 20_000 },
    });
    const older = await exported((await imported(folder, change)).runDir);
    expect(jsonIn(older, 'config.json')).toEqual({
      ...jsonIn(folder, 'config.json'),
      max_position_embeddings: 256,
      rope_theta: 20_000,
    });
  });
});

describe('a YaRN that does not name the length of its pre-training', () => {
  const yarn = { rope_type: 'yarn', factor: 4 };
  const folder = scratch.copyOf('llama/base');
  changeConfig(folder, { rope_scaling: yarn });

  it('takes the longest sequence of the model, as Hugging Face does, and comes out as it went in', async () => {
    const named = scratch.copyOf('llama/base');
    changeConfig(named, { rope_scaling: { ...yarn, original_max_position_embeddings: 128 } });
    const rows = [folder, named, goldenFolder('llama/base')].map(async (path) => {
      await using model = await openModel(path, { sequenceLength: 24 });
      return (await model.logits([[1, 2, 3, 5, 8, 13, 21, 34]]))[0];
    });
    const [own, its, plain] = await Promise.all(rows);
    expect(own).toEqual(its);
    expect(own).not.toEqual(plain);
    const out = await exported((await imported(folder)).runDir);
    expect(textIn(out, 'config.json')).toBe(textIn(folder, 'config.json'));
  });

  it('names it once that sequence is another', async () => {
    const out = await exported((await imported(folder, [set('model.max_position_embeddings', 256)])).runDir);
    expect(jsonIn(out, 'config.json')).toEqual({
      ...jsonIn(folder, 'config.json'),
      max_position_embeddings: 256,
      rope_scaling: { ...yarn, original_max_position_embeddings: 128 },
    });
  });
});

describe('what older files have too much', () => {
  it('are buffers of rotary positions: left out, and named', async () => {
    const folder = scratch.copyOf('llama/base');
    const tensors = tensorsIn(folder);
    const buffer = { dtype: 'F32', shape: [8], hex: '00'.repeat(32) };
    const name = (layer: number): string => `model.layers.${layer}.self_attn.rotary_emb.inv_freq`;
    writeTensors(folder, new Map([...tensors, [name(0), buffer], [name(1), buffer]]));
    const { runDir, said } = await imported(folder);
    expect(said[0]).toBe(`DIR has ${name(0)}, ${name(1)}, which follow from config.json: left out`);
    expect(tensorsIn(await exported(runDir))).toEqual(tensors);
  });

  it('is a head that is tied: held once where it is the embedding, else refused', async () => {
    const folder = scratch.copyOf('llama/tied');
    const tensors = tensorsIn(folder);
    const table = tensors.get('model.embed_tokens.weight')!;
    writeTensors(folder, new Map([...tensors, ['lm_head.weight', table]]));
    const { runDir, said } = await imported(folder);
    expect(said[0]).toBe('DIR has lm_head.weight, which is the embedding, as config.json says: held once');
    expect(tensorsIn(await exported(runDir))).toEqual(tensors);
    writeTensors(folder, new Map([...tensors, ['lm_head.weight', { ...table, hex: `00${table.hex.slice(2)}` }]]));
    await expect(imported(folder)).rejects.toMatchObject({
      tag: 'TensorsDiffer',
      message: `${folder}: its lm_head.weight is not the embedding, and config.json says that they are tied; set tie_word_embeddings to false there`,
    });
    changeConfig(folder, { tie_word_embeddings: false });
    expect(tensorsIn(await exported((await imported(folder)).runDir)).has('lm_head.weight')).toBe(true);
  });
});

it('reads a config of an older version as that of the same model', async () => {
  const folder = scratch.copyOf('nemotron/no_head_dim');
  writeFileSync(join(folder, 'config.json'), textIn(folder, 'config_written_by_4.45.json'));
  const out = await exported((await imported(folder)).runDir, { dtype: 'float16' });
  expect(jsonIn(out, 'config.json')).toEqual({ ...jsonIn(folder, 'config.json'), torch_dtype: 'float16' });
});
