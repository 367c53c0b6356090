/** The memory that a checkpoint of 1 GB takes, beside that of the same process with a tiny one: to import, to export, to run and to train it. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { nodeDisk, streamSafetensors, type TensorHead, type TensorParts } from '../../src/checkpoints/index.ts';
import { goldenFolder, jsonIn, namesIn, Scratch } from './hf_kit.ts';

const scratch = new Scratch();
afterAll(() => scratch[Symbol.dispose]());

const sizes = { vocab_size: 32_000, hidden_size: 1024, intermediate_size: 4096, num_hidden_layers: 12 };
const tinySizes = { vocab_size: 256, hidden_size: 64, intermediate_size: 64, num_hidden_layers: 2 };
type Sizes = typeof sizes;

const head = (name: string, ...shape: number[]): TensorHead => ({ name, dtype: 'F32', shape });

const headsOf = ({ vocab_size: V, hidden_size: D, intermediate_size: F, num_hidden_layers }: Sizes): TensorHead[] => [
  head('model.embed_tokens.weight', V, D),
  ...Array.from({ length: num_hidden_layers }, (_, i) => [
    ...['q', 'k', 'v', 'o'].map((each) => head(`model.layers.${i}.self_attn.${each}_proj.weight`, D, D)),
    ...['gate', 'up'].map((each) => head(`model.layers.${i}.mlp.${each}_proj.weight`, F, D)),
    head(`model.layers.${i}.mlp.down_proj.weight`, D, F),
    head(`model.layers.${i}.input_layernorm.weight`, D),
    head(`model.layers.${i}.post_attention_layernorm.weight`, D),
  ]).flat(),
  head('model.norm.weight', D),
  head('lm_head.weight', V, D),
];

const elements = ({ shape }: TensorHead): number => shape.reduce((product, extent) => product * extent, 1);
const modelBytes = 4 * headsOf(sizes).reduce((sum, each) => sum + elements(each), 0);
const tensorBytes = 4 * Math.max(...headsOf(sizes).map(elements));

/** Some values, the same in each row: what they are does not matter. */
const row = new Uint8Array(Float32Array.from({ length: 1024 }, (_, i) => Math.sin(i) / 50).buffer);

async function* tensorsOf(of: readonly TensorHead[]): AsyncGenerator<TensorParts> {
  for (const each of of) yield await Promise.resolve({ ...each, parts: rowsOf(elements(each)) });
}

async function* rowsOf(count: number): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < count; i += 1024) yield await Promise.resolve(row.subarray(0, 4 * (count - i)));
}

/** Writes a model in four shards. */
async function writeModel(folder: string, sizes: Sizes): Promise<void> {
  const heads = headsOf(sizes);
  mkdirSync(folder);
  const { rope_scaling: _, head_dim: _1, ...config } = jsonIn(goldenFolder('llama/base'), 'config.json');
  const own = { ...config, ...sizes, num_attention_heads: 16, num_key_value_heads: 16 };
  writeFileSync(join(folder, 'config.json'), JSON.stringify(own));
  const weight_map: Record<string, string> = {};
  const size = Math.ceil(heads.length / 4);
  for (let i = 0; i < 4; i++) {
    const file = `model-0000${i + 1}-of-00004.safetensors`;
    const part = heads.slice(i * size, (i + 1) * size);
    const open = await nodeDisk.create(join(folder, file));
    await streamSafetensors(open, part, tensorsOf(part), { format: 'pt' });
    await open.close();
    for (const { name } of part) weight_map[name] = file;
  }
  writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify({ metadata: {}, weight_map }));
}

const script = fileURLToPath(new URL('./hf_peak.ts', import.meta.url));

function peakOf(...args: string[]): number {
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return Number(stdout);
}

const [large, tiny] = [scratch.fresh(), scratch.fresh()];
const [largeRun, tinyRun] = [scratch.fresh(), scratch.fresh()];
beforeAll(async () => {
  await writeModel(large, sizes);
  await writeModel(tiny, tinySizes);
});

/** Bytes that a verb takes for the large model more than for the tiny one. */
function extraBytes(verb: string, [from, to]: readonly string[], [tinyFrom, tinyTo]: readonly string[]): number {
  const extra = peakOf(verb, from, to) - peakOf(verb, tinyFrom, tinyTo);
  console.log(
    `${verb}: ${(extra / 1e6).toFixed(0)} MB more; model ${modelBytes / 1e6}, largest tensor ${tensorBytes / 1e6}`,
  );
  return extra;
}

it('is less than that of its largest tensor to import and to export it', () => {
  expect(modelBytes).toBeGreaterThan(1e9);
  expect(extraBytes('import', [large, largeRun], [tiny, tinyRun])).toBeLessThan(tensorBytes);
  const [out, tinyOut] = [scratch.fresh(), scratch.fresh()];
  expect(extraBytes('export', [largeRun, out], [tinyRun, tinyOut])).toBeLessThan(tensorBytes);
  expect(namesIn(out)).toContain('model-00004-of-00004.safetensors');
});

it('is its parameters and a tenth to run it, and its largest tensor', () => {
  const most = 1.1 * modelBytes + tensorBytes;
  expect(extraBytes('load', [largeRun, ''], [tinyRun, ''])).toBeLessThan(most);
  expect(extraBytes('load', [large, ''], [tiny, ''])).toBeLessThan(most);
});

it('is the same to begin a run with it, and so much for each moment more to go on with that run', () => {
  const [ownRun, tinyOwn] = [scratch.fresh(), scratch.fresh()];
  expect(extraBytes('begin', [large, ownRun], [tiny, tinyOwn])).toBeLessThan(1.1 * modelBytes + tensorBytes);
  expect(extraBytes('resume', [large, ownRun], [tiny, tinyOwn])).toBeLessThan(1.1 * 3 * modelBytes + tensorBytes);
});
