/**
 * Tiny checkpoints that Hugging Face's own classes wrote, with what those compute (test/golden/README.md): the model of each, built
 * from its config.json, with its tensors.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { modelConfigOf } from '../../src/models/from_topology.ts';
import { buildModel, sectionsOf } from '../../src/models/families/index.ts';
import { HfConfig } from '../../src/models/hugging_face/hf_config.ts';
import type { ModelConfig } from '../../src/models/config.ts';
import { mixturesOf, type Model } from '../../src/models/model.ts';
import { nextToken } from '../../src/models/objectives/next_token.ts';
import { defineTopology, type Topology } from '../../src/topology/index.ts';
import { parametersOf } from './kit.ts';

const root = new URL('../golden/', import.meta.url);

export interface GoldenCase {
  readonly name: string;
  readonly input_ids: readonly (readonly number[])[];
  readonly attention_mask: readonly (readonly number[])[] | null;
  readonly logits: { readonly shape: readonly number[]; readonly data: readonly number[] };
  readonly labels?: readonly (readonly number[])[];
  /** With auxiliary losses, where the model has them; `lm_loss` is without. */
  readonly loss?: number;
  readonly lm_loss?: number;
  readonly aux_loss?: number;
  readonly router?: readonly {
    readonly layer: number;
    readonly logits: { readonly data: readonly number[] };
    readonly topk_index: readonly (readonly number[])[];
    readonly topk_weight: { readonly data: readonly number[] };
  }[];
  readonly version_dependent?: string;
  /** Length of the gradient of `loss` by each parameter. */
  readonly grad_l2?: Readonly<Record<string, number>>;
}

export interface Expected {
  readonly cases: readonly GoldenCase[];
  readonly generation: { readonly prompt_ids: readonly number[]; readonly new_tokens: readonly number[] };
}

export interface Golden {
  readonly name: string;
  /** Where it lies. */
  readonly folder: string;
  /** One step on two stages, from no moments, of two sequences as long as the cases are; without a balance loss. */
  readonly topology: Topology;
  readonly config: ModelConfig;
  readonly values: Readonly<Record<string, Float32Array>>;
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  readonly expected: Expected;
  /** Length of the gradient of the language model's loss alone, by each parameter, where there is more than that in `expected`. */
  readonly lmGradients: Readonly<Record<string, number>> | null;
}

/** All variants of a family, as `family/variant`. */
export const variantsOf = (family: string): string[] =>
  readdirSync(new URL(`${family}/`, root)).map((variant) => `${family}/${variant}`);

export function goldenOf(name: string): Golden {
  const folder = new URL(`${name}/`, root);
  const json = (file: string): unknown => JSON.parse(readFileSync(new URL(file, folder), 'utf8'));
  const { model, moe } = sectionsOf(new HfConfig('config.json', json('config.json') as Record<string, unknown>));
  const training = { steps: 1, sequence_length: 24, global_batch_size: 2, eval_interval: 0 };
  const optimizer = { warmup_steps: 0, grad_clip: 0 };
  const parallelism = { micro_batches: 1, pipeline_parallel: 2 };
  const routing = moe === undefined ? {} : { moe: { ...moe, aux_loss_coef: 0, dispatch_dtype: 'fp32' as const } };
  const topology = defineTopology({ model, ...routing, training, optimizer, parallelism });
  const config = modelConfigOf(topology, Number(model.vocab_size));
  const index = new URL('model.safetensors.index.json', folder);
  const files = existsSync(index)
    ? [
        ...new Set(
          Object.values((json('model.safetensors.index.json') as { weight_map: Record<string, string> }).weight_map),
        ),
      ]
    : ['model.safetensors'];
  const lmGradients = existsSync(new URL('lm_grad_l2.json', folder))
    ? (json('lm_grad_l2.json') as Record<string, number>)
    : null;
  const values: Record<string, Float32Array> = {};
  const shapes = new Map<string, readonly number[]>();
  for (const file of files) readTensors(readFileSync(new URL(file, folder)), values, shapes);
  return {
    name,
    folder: fileURLToPath(folder),
    topology,
    config,
    values,
    shapes,
    expected: json('expected.json') as Expected,
    lmGradients,
  };
}

/** The model for microbatches of the cases. */
export function modelOfGolden({ config }: Golden, batch: number, sequence: number, segments: boolean): Model {
  const settings = { batch, sequence, segments, taps: false, precision: 'f32', objective: nextToken } as const;
  return buildModel({ config, settings });
}

/** Every parameter's name and shape, once. */
export const shapesOf = (model: Model): Map<string, readonly number[]> =>
  new Map(parametersOf(model, mixturesOf(model)[0]?.experts ?? 0).map(({ name, shape }) => [name, shape]));

/** Reads a safetensors file by the format's own description, whatever our reader does. */
function readTensors(file: Buffer, values: Record<string, Float32Array>, shapes: Map<string, readonly number[]>): void {
  const length = Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString('utf8', 8, 8 + length)) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const [begin, end] = entry.data_offsets.map((offset) => 8 + length + offset);
    const bytes = Uint8Array.from(file.subarray(begin, end)).buffer;
    shapes.set(name, entry.shape);
    values[name] =
      entry.dtype === 'F32'
        ? new Float32Array(bytes)
        : new Float32Array(Uint32Array.from(new Uint16Array(bytes), (half) => half << 16).buffer);
  }
}
