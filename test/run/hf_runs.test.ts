/** Runs and folders of Hugging Face's: a trained model goes out with its tokenizer, and comes back to write, to begin a run, to be trained on. */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CheckpointStore } from '../../src/checkpoints/index.ts';
import { generate } from '../../src/run/generate.ts';
import { exportModel } from '../../src/run/export_model.ts';
import { importModel } from '../../src/run/import_model.ts';
import { launch } from '../../src/run/launch.ts';
import { parseTopology, toPlain } from '../../src/topology/index.ts';
import { changeConfig, goldenFolder, jsonIn, namesIn, Scratch, tensorsIn, writeTensors } from './hf_kit.ts';
import { bitsOf, eventsOf, RunFolder, smallTopology, type Played, type Settings } from './run_kit.ts';

const runs = new RunFolder();
const scratch = new Scratch();
afterAll(() => (runs[Symbol.dispose](), scratch[Symbol.dispose]()));

const tokenizerPath = fileURLToPath(new URL('../data/golden/tokenizers/llama2_like', import.meta.url));

const settings: Settings = {
  'model.architecture': 'mixtral',
  'model.num_key_value_heads': 1,
  'moe.dispatch_dtype': 'fp32',
  'data.tokenizer': `hf:${tokenizerPath}/tokenizer.json`,
  'data.blend': [{ name: 'words', glob: 'short/*.txt' }],
};

/** This tokenizer has no words: what it takes for a text grows with the square of that. */
function writeTexts(): void {
  mkdirSync(join(runs.path, 'short'));
  const text = readFileSync(join(runs.path, 'words.txt'), 'utf8');
  for (let i = 0; i < 60; i++) writeFileSync(join(runs.path, 'short', `${i}.txt`), text.slice(400 * i, 400 * i + 400));
}

const settingsOfData = { tokenizer: 'hf:hugging_face/tokenizer.json', held_out: 0.2 };

const silently = { notice: (): void => undefined };

let run: Played;
let folder: string;
let imported: string;
beforeAll(async () => {
  writeTexts();
  run = await runs.play({ ...settings, 'training.steps': 2 });
  folder = join(runs.path, 'exported');
  await exportModel({ checkpointDir: run.runDir, folder, shardBytes: 5e9, ...silently });
  imported = join(runs.path, 'imported');
  await importModel({ folder, runDir: imported, ...silently });
});

async function textOf(checkpointDir: string): Promise<string> {
  let text = '';
  const write = (part: string): void => void (text += part);
  await generate({ checkpointDir, prompt: 'actor ', maxTokens: 6, temperature: 0, seed: 1, write, ...silently });
  return text;
}

describe('a trained model that is exported', () => {
  it('has a config of its family, with the ids of its tokenizer, and the files of that', () => {
    const { vocab_size, ...config } = jsonIn(folder, 'config.json');
    expect(config).toMatchObject({
      architectures: ['MixtralForCausalLM'],
      model_type: 'mixtral',
      dtype: 'float32',
      num_local_experts: 4,
      num_experts_per_tok: 2,
      num_key_value_heads: 1,
      bos_token_id: 1,
      eos_token_id: 2,
    });
    expect(vocab_size).toBeGreaterThan(256);
    const files = ['special_tokens_map.json', 'tokenizer.json', 'tokenizer_config.json'];
    expect(namesIn(folder)).toEqual(['config.json', 'generation_config.json', 'model.safetensors', ...files]);
    expect(jsonIn(folder, 'generation_config.json')).toMatchObject({ bos_token_id: 1, eos_token_id: 2 });
    for (const file of files) {
      const [own, its] = [folder, tokenizerPath].map((place) => readFileSync(join(place, file), 'utf8'));
      expect(own).toBe(its);
    }
  });

  it('writes the same as before, from the folder and from what that is imported to', async () => {
    const text = await textOf(run.runDir);
    expect(text.length).toBeGreaterThan('actor '.length);
    expect(await textOf(folder)).toBe(text);
    expect(await textOf(imported)).toBe(text);
  });
});

describe('a run that begins from it', () => {
  let fromRun: Played;
  beforeAll(async () => {
    fromRun = await runs.play({ ...settings, 'training.steps': 2, from: basename(run.runDir) });
  });

  it.each([
    ['as hf: and the folder', 'hf:exported'],
    ['as what it was imported to', 'imported'],
  ])('has the same bits as one that begins from its run, %s', async (_, from) => {
    const played = await runs.play({ ...settings, 'training.steps': 2, from });
    expect(bitsOf(played)).toEqual(bitsOf(fromRun));
    const notices = played.events.flatMap((event) => (event.kind === 'notice' ? event.text : []));
    const tensors = tensorsIn(folder).size;
    const what =
      from === 'imported'
        ? `the parameters of step 0 of ${join(imported, 'checkpoints', 'step-000000.g1')}`
        : `the ${tensors} tensors of ${folder}, moments 0`;
    expect(notices).toEqual([`begins with ${what}`]);
    expect(eventsOf(played.runDir, 'started_from')).toMatchObject([{ step: 0, digest: null }]);
  });

  it('says where the folder computes otherwise, and what it lacks', async () => {
    const other = join(runs.path, 'other');
    cpSync(folder, other, { recursive: true });
    changeConfig(other, {
      ...{ rope_theta: 5, sliding_window: 8 },
      ...{ num_experts_per_tok: 1, router_aux_loss_coef: 0.5, router_jitter_noise: 0.25 },
    });
    const tensors = tensorsIn(other);
    tensors.delete('model.norm.weight');
    writeTensors(other, tensors);
    const { events } = await runs.play({ ...settings, 'training.steps': 2, from: 'hf:other' });
    expect(events.flatMap((event) => (event.kind === 'notice' ? event.text : []))).toEqual([
      `${other} computes otherwise than this model will: rope_theta 5, here 1000000, sliding_window 8, here null, moe.top_k 1, here 2`,
      `${other} says otherwise how its routers are trained: moe.aux_loss_coef 0.5, here 0.01, moe.jitter_eps 0.25, here 0`,
      `begins with the ${tensors.size} tensors of ${other}, moments 0`,
      `${other} does not have model.norm.weight: as in a new model`,
    ]);
  });

  it.each([
    ['a folder that is none', 'hf:nowhere', { tag: 'BadHfFolder', exitCode: 2 }],
    ['a model of another vocabulary', `hf:${goldenFolder('mixtral/base')}`, { tag: 'SourceRefused', exitCode: 2 }],
  ])('refuses %s', async (_, from, error) => {
    const topology = smallTopology({ ...settings, from });
    await expect(launch(topology, { baseDir: runs.path, runDir: scratch.fresh() })).rejects.toMatchObject(error);
  });

  it('refuses a tensor of another shape', async () => {
    const topology = smallTopology({ ...settings, 'model.num_key_value_heads': 2, from: 'hf:exported' });
    await expect(launch(topology, { baseDir: runs.path, runDir: scratch.fresh() })).rejects.toMatchObject({
      tag: 'SourceRefused',
      message: `from ${folder}: its model.layers.0.self_attn.k_proj.weight has shape [16, 32], and this model's has [32, 32]; give model and moe the sizes that it was trained with`,
    });
  });

  it('has the folder in its config as seen from its own', async () => {
    const runDir = join(runs.path, 'deeper', 'run');
    const topology = smallTopology({ ...settings, 'training.steps': 2, from: 'hf:exported' });
    await launch(topology, { baseDir: runs.path, runDir });
    const config = parseTopology(readFileSync(join(runDir, 'config.yaml'), 'utf8'), 'config.yaml', []);
    expect(config.from).toBe('hf:../../exported');
  });
});

it('is trained on where it was imported to, from its parameters, moments of 0 and any texts', async () => {
  const runDir = join(runs.path, 'trained-on');
  const { training, optimizer, moe, parallelism } = toPlain(smallTopology({ ...settings, 'training.steps': 2 }));
  const blend = [{ name: 'words', glob: '../short/*.txt' }];
  const sections = { training, optimizer, moe, parallelism, data: { ...settingsOfData, blend } };
  const overrides = Object.entries(sections).map(([key, value]) => ({ path: [key], value, source: key }));
  await importModel({ folder, runDir, overrides, ...silently });
  const topology = parseTopology(readFileSync(join(runDir, 'config.yaml'), 'utf8'), 'config.yaml', []);
  expect(await launch(topology, { baseDir: runDir, runDir, resume: true })).toMatchObject({ status: 'done', step: 2 });
  const { checkpoint } = await new CheckpointStore(join(runDir, 'checkpoints')).openNewestValid();
  const begun = await runs.play({ ...settings, 'training.steps': 2, from: basename(run.runDir) });
  expect(checkpoint.manifest.extra).toMatchObject({ params_digest: digestOf(begun) });
});

const digestOf = ({ digest }: Played): string => (digest as { params_digest: string }).params_digest;
