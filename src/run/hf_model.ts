/**
 * A model as it lies in a folder of Hugging Face's: its config.json as a topology, and its tensors, held against the parameters of
 * that topology's model. What such folders have too much by custom is left out, and told.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  BadHfFolder,
  HF_CONFIG,
  hfFolder,
  openHfTensors,
  readHfJson,
  readTensorParts,
  type HfTensors,
} from '../checkpoints/index.ts';
import { sectionsOf } from '../models/families/index.ts';
import { HfConfig } from '../models/hugging_face/hf_config.ts';
import type { Parameter } from '../models/parameter.ts';
import { parseTopology, type Override, type Topology } from '../topology/index.ts';
import { checkTensors, namesInLine, TensorsDiffer } from './model_parameters.ts';
import { hfSource, type ModelSource } from './model_source.ts';

/** What a topology is made of beside config.json. */
export interface HfTopologyOptions {
  readonly name?: string;
  /** As in `data.tokenizer`; null where there is none. */
  readonly tokenizer?: string | null;
  readonly overrides?: readonly Override[];
}

/** Tokens of a sequence, where the model can read as many: each token that is made runs a whole one. */
const usualLength = 512;

/** The config.json of a folder. Throws `BadHfFolder`, `CheckpointIo`. */
export async function readHfConfig(path: string): Promise<HfConfig> {
  const folder = hfFolder(path);
  const file = join(folder, HF_CONFIG);
  const values = await readHfJson(file);
  if (values !== null) return new HfConfig(file, values);
  throw new BadHfFolder(folder, `it has no ${HF_CONFIG}`, 'name the folder of a model, with its config.json');
}

/** Throws `BadHfConfig` for what no family here can be, and `ConfigError` where its sizes do not go together. */
export function topologyOfHf(config: HfConfig, options: HfTopologyOptions = {}): Topology {
  const { name = 'imported', tokenizer = null, overrides = [] } = options;
  const { model, moe } = sectionsOf(config);
  const { max_position_embeddings: most } = model;
  const sections: Record<string, unknown> = {
    name,
    model,
    // Rows travel as they were computed, so that it computes what it did where it comes from.
    ...(moe === undefined ? {} : { moe: { dispatch_dtype: 'fp32', ...moe } }),
    training: {
      sequence_length: typeof most === 'number' ? Math.min(most, usualLength) : usualLength,
      global_batch_size: 1,
    },
    cluster: { memory_per_worker: '4GiB' },
    ...(tokenizer === null ? {} : { data: { tokenizer } }),
  };
  const given = Object.entries(sections).map(([key, value]) => ({ path: [key], value, source: config.file }));
  return parseTopology('', config.file, [...given, ...overrides]);
}

/** The word for the tokenizer of a folder, as seen from it; null where it has none. */
export const tokenizerOfHf = (folder: string): string | null =>
  existsSync(join(folder, 'tokenizer.json')) ? 'hf:tokenizer.json' : null;

/** Tensors that older files have of what follows from config.json. */
const isBuffer = (name: string): boolean => name.endsWith('.rotary_emb.inv_freq');

const head = 'lm_head.weight';

/**
 * The tensors of a folder that are the parameters of a model. `notice` hears of what is left out: buffers, and the head of a model
 * that is tied. Throws `BadHfFolder`, `TensorsDiffer`, `CheckpointIo`.
 */
export async function fittingSource(
  path: string,
  parameters: ReadonlyMap<string, Parameter>,
  notice: (text: string) => void,
): Promise<ModelSource> {
  const tensors = await openHfTensors(path);
  const names = [...tensors.heads.keys()];
  const buffers = names.filter((name) => isBuffer(name) && !parameters.has(name));
  const copies = names.filter((name) => name === head && !parameters.has(name));
  const source = hfSource(
    tensors,
    names.filter((name) => !buffers.includes(name) && !copies.includes(name)),
  );
  checkTensors(path, source.heads, parameters, `fetch its files again, or correct ${HF_CONFIG}`);
  if (buffers.length > 0) notice(`${path} has ${namesInLine(buffers)}, which follow from ${HF_CONFIG}: left out`);
  if (copies.length > 0) {
    await checkCopy(tensors, parameters);
    notice(`${path} has ${head}, which is the embedding, as ${HF_CONFIG} says: held once`);
  }
  return source;
}

/** Throws `TensorsDiffer` where the head is not the embedding. */
async function checkCopy(tensors: HfTensors, parameters: ReadonlyMap<string, Parameter>): Promise<void> {
  const { shape } = tensors.heads.get(head)!;
  const isTable = (other: Parameter): boolean => !other.isHidden && other.shape.join() === shape.join();
  const table = [...parameters.values()].find(isTable);
  if (table !== undefined && (await areEqual(tensors, head, table.name))) return;
  const what = `its ${head} is not the embedding, and ${HF_CONFIG} says that they are tied`;
  throw new TensorsDiffer(tensors.path, what, 'set tie_word_embeddings to false there');
}

/** Whether two tensors have the same bytes; read side by side, neither of them whole. */
async function areEqual(tensors: HfTensors, ...names: readonly [string, string]): Promise<boolean> {
  const [one, other] = names.map((name) => partsOf(tensors, name));
  try {
    for (;;) {
      const [a, b] = [await one.next(), await other.next()];
      if (a.done === true || b.done === true) return a.done === b.done;
      if (!Buffer.from(a.value.buffer, a.value.byteOffset, a.value.length).equals(b.value)) return false;
    }
  } finally {
    await Promise.all([one.return(), other.return()]);
  }
}

async function* partsOf(tensors: HfTensors, name: string): AsyncGenerator<Uint8Array, void, void> {
  for await (const { parts } of readTensorParts(tensors, [name])) yield* parts;
}
