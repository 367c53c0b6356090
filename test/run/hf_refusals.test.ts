/** Folders that cannot be imported, and models that cannot be exported: each in one line, and nothing is left of the attempt. */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { failureOf } from '../../src/cli/failure.ts';
import { importModel } from '../../src/run/import_model.ts';
import { makeNewFolder } from '../../src/run/new_folder.ts';
import { changeConfig, namesIn, Scratch, tensorsIn, writeTensors, type StoredTensor } from './hf_kit.ts';

const scratch = new Scratch();
afterAll(() => scratch[Symbol.dispose]());

type Change = (folder: string) => void;

const config =
  (keys: Readonly<Record<string, unknown>>): Change =>
  (folder) =>
    changeConfig(folder, keys);

/** Changes the tensors of the whole file. */
const tensors =
  (change: (tensors: Map<string, StoredTensor>) => void): Change =>
  (folder) => {
    const found = tensorsIn(folder);
    change(found);
    writeTensors(folder, found);
  };

const shard = 'model-00002-of-00003.safetensors';
const again = 'fetch or export it again';
const mend = 'fetch its files again, or correct config.json';
const layer = 'model.layers.0.self_attn';

const cases: readonly [what: string, golden: string, change: Change, line: string | RegExp][] = [
  [
    'an unknown model_type',
    'llama/base',
    config({ model_type: 'gpt2' }),
    /^DIR\/config\.json: model_type: found "gpt2" is not known here; .*llama.*mamba.* are$/,
  ],
  [
    'no model_type',
    'llama/base',
    config({ model_type: undefined }),
    /^DIR\/config\.json: model_type: found "" is not known here; /,
  ],
  [
    'an unknown activation',
    'llama/base',
    config({ hidden_act: 'gelu_new' }),
    'DIR/config.json: hidden_act: found "gelu_new" is not known here; relu, relu2, silu, swish, gelu are',
  ],
  [
    'an unknown rope scaling',
    'llama/base',
    config({ rope_scaling: { type: 'dynamic', factor: 2 } }),
    'DIR/config.json: rope_scaling.type: found "dynamic" is not known here; default, linear, llama3, yarn are',
  ],
  [
    'a key of a rope scaling that changes what it computes',
    'llama/base',
    config({ rope_scaling: { rope_type: 'linear', factor: 2, mscale: 1 } }),
    'DIR/config.json: rope_scaling.mscale: it is not read, and the model would compute otherwise; of linear these are: factor',
  ],
  [
    'an unknown rope scaling of version 5',
    'llama/saved_by_v5',
    config({ rope_parameters: { rope_type: 'longrope', rope_theta: 1e4 } }),
    'DIR/config.json: rope_parameters.rope_type: found "longrope" is not known here; default, linear, llama3, yarn are',
  ],
  [
    'a size that is none',
    'llama/base',
    config({ hidden_size: '48' }),
    'DIR/config.json: hidden_size: found "48", needs to be a whole number above 0',
  ],
  [
    'sizes that do not go together',
    'llama/base',
    config({ num_key_value_heads: 3 }),
    'DIR/config.json: model.num_key_value_heads: num_key_value_heads 3 does not divide num_attention_heads 4; choose a divisor of it',
  ],
  [
    'no config.json',
    'llama/base',
    (folder) => rmSync(join(folder, 'config.json')),
    'DIR: it has no config.json; name the folder of a model, with its config.json',
  ],
  [
    'a config.json that is no JSON',
    'llama/base',
    (folder) => writeFileSync(join(folder, 'config.json'), '{'),
    /^DIR\/config\.json: it is no JSON: .*; fetch or export it again$/,
  ],
  [
    'a config.json that is no object',
    'llama/base',
    (folder) => writeFileSync(join(folder, 'config.json'), '"llama"'),
    `DIR/config.json: it is no JSON object; ${again}`,
  ],
  [
    'no folder',
    'llama/base',
    (folder) => renameSync(folder, `${folder}-gone`),
    'DIR: there is no such folder; name the folder of a model, with config.json and *.safetensors',
  ],
  [
    'no tensors',
    'llama/base',
    (folder) => rmSync(join(folder, 'model.safetensors')),
    'DIR: it has no model.safetensors, and no model.safetensors.index.json; fetch them, or name another folder',
  ],
  [
    'a missing tensor',
    'llama/base',
    tensors((all) => all.delete('model.norm.weight')),
    `DIR: it lacks model.norm.weight; ${mend}`,
  ],
  [
    'more layers than there are',
    'llama/base',
    config({ num_hidden_layers: 4 }),
    /^DIR: it lacks model\.layers\.3\.\S+, model\.layers\.3\.\S+, model\.layers\.3\.\S+, model\.layers\.3\.\S+ and 5 more; fetch/,
  ],
  [
    'tensors that the model has not',
    'llama/base',
    config({ num_hidden_layers: 2 }),
    /^DIR: it has model\.layers\.2\.\S+, model\.layers\.2\.\S+, model\.layers\.2\.\S+, model\.layers\.2\.\S+ and 5 more, which the model has not; fetch/,
  ],
  [
    'a tensor of another shape',
    'llama/base',
    tensors((all) => reshape(all, 'model.norm.weight', [6, 8])),
    `DIR: it has model.norm.weight [6, 8] for [48]; ${mend}`,
  ],
  [
    'a tensor that is no float',
    'llama/base',
    tensors((all) => all.set('model.norm.weight', { ...all.get('model.norm.weight')!, dtype: 'I32' })),
    `DIR: it has model.norm.weight of I32; ${mend}`,
  ],
  [
    'all of these at once',
    'llama/base',
    tensors((all) => {
      all.delete('lm_head.weight');
      all.set('lora.weight', all.get('model.norm.weight')!);
      reshape(all, `${layer}.q_proj.weight`, [48, 64]);
    }),
    `DIR: it lacks lm_head.weight; it has lora.weight, which the model has not; it has ${layer}.q_proj.weight [48, 64] for [64, 48]; ${mend}`,
  ],
  [
    'a shard that is cut short',
    'mixtral/sharded',
    (folder) => writeFileSync(join(folder, shard), readFileSync(join(folder, shard)).subarray(0, -5)),
    /^DIR\/model-00002-of-00003\.safetensors: tensor '\S+' ends at byte \d+ of the data, the file ends at \d+: it is cut short; fetch or export it again$/,
  ],
  [
    'a shard that is not there',
    'mixtral/sharded',
    (folder) => rmSync(join(folder, shard)),
    `DIR/model.safetensors.index.json: weight_map names ${shard}, which is not there; fetch all files`,
  ],
  [
    'a tokenizer that is none',
    'llama/base',
    (folder) => writeFileSync(join(folder, 'tokenizer.json'), '{}'),
    /^tokenizer 'hf:tokenizer\.json': DIR\/tokenizer\.json is no tokenizer file: /,
  ],
];

function reshape(all: Map<string, StoredTensor>, name: string, shape: readonly number[]): void {
  all.set(name, { ...all.get(name)!, shape });
}

it.each(cases)('refuses %s', async (what, golden, change, line) => {
  const [folder, runDir] = [scratch.copyOf(golden), scratch.fresh()];
  change(folder);
  const before = namesIn(scratch.path);
  const failure = await importModel({ folder, runDir, notice: () => undefined }).then(
    () => null,
    (error: unknown) => failureOf(error),
  );
  expect(failure).not.toBeNull();
  const text = failure!.line.replace('troupe: ', '').replaceAll(folder, 'DIR');
  if (typeof line === 'string') expect(text).toBe(line);
  else expect(text).toMatch(line);
  expect(text.split('\n')).toHaveLength(1);
  expect(failure!.exitCode).toBe(what.startsWith('a tokenizer') ? 1 : 2);
  expect(namesIn(scratch.path)).toEqual(before);
});

describe('a run directory that is there', () => {
  it('is not written over, nor is a file; an empty one is taken', async () => {
    const [folder, runDir] = [scratch.copyOf('llama/base'), scratch.fresh()];
    const attempt = importModel({ folder, runDir: folder, notice: () => undefined });
    await expect(attempt).rejects.toMatchObject({
      tag: 'TargetExists',
      exitCode: 2,
      message: `${folder}: is there already, and nothing is written over; name a new folder, or remove it`,
    });
    writeFileSync(runDir, '');
    await expect(importModel({ folder, runDir, notice: () => undefined })).rejects.toMatchObject({
      tag: 'TargetExists',
    });
    rmSync(runDir);
    mkdirSync(runDir);
    await importModel({ folder, runDir, notice: () => undefined });
    expect(namesIn(runDir)).toEqual(['checkpoints', 'config.yaml', 'hugging_face']);
  });
});

describe('a new folder', () => {
  it('is made with those above it', async () => {
    const above = scratch.fresh();
    await makeNewFolder(join(above, 'a', 'run'), (folder) => {
      writeFileSync(join(folder, 'file'), '');
      return Promise.resolve();
    });
    expect(namesIn(join(above, 'a', 'run'))).toEqual(['file']);
  });

  it('is not there, nor what was made above it, where filling it fails', async () => {
    const [above, before] = [scratch.fresh(), namesIn(scratch.path)];
    const fault = new RangeError('no more');
    const attempt = makeNewFolder(join(above, 'a', 'run'), (folder) => {
      writeFileSync(join(folder, 'file'), '');
      return Promise.reject(fault);
    });
    await expect(attempt).rejects.toBe(fault);
    expect(namesIn(scratch.path)).toEqual(before);
  });

  it('does not take the place of one that came meanwhile', async () => {
    const path = scratch.fresh();
    const attempt = makeNewFolder(path, (folder) => {
      mkdirSync(path);
      for (const each of [folder, path]) writeFileSync(join(each, 'file'), each);
      return Promise.resolve();
    });
    await expect(attempt).rejects.toMatchObject({ tag: 'TargetExists' });
    expect(readFileSync(join(path, 'file'), 'utf8')).toBe(path);
  });
});
