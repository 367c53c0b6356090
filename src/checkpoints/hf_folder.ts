/**
 * A folder as Hugging Face lays a model out: `config.json`, and tensors in `model.safetensors`, or in shards that
 * `model.safetensors.index.json` lists. Opening reads headers only, and believes nothing that they or the index say of the others.
 */
import { existsSync, statSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { systemCodeOf } from '../system_error.ts';
import { BadHfFolder, CheckpointIo, DamagedCheckpoint } from './errors.ts';
import { SafetensorsFile } from './safetensors.ts';
import type { SafetensorsHeader } from './safetensors_header.ts';
import type { TensorHead } from './tensor.ts';

export const HF_CONFIG = 'config.json';
export const HF_WEIGHTS = 'model.safetensors';
export const HF_INDEX = 'model.safetensors.index.json';

const AGAIN = 'fetch or export it again';

/** Tensors that lie in files of a folder. */
export interface TensorFiles {
  /** The folder. */
  readonly path: string;
  /** The file of each tensor, by tensor name. */
  readonly fileOf: ReadonlyMap<string, string>;
}

export interface HfTensors extends TensorFiles {
  readonly heads: ReadonlyMap<string, TensorHead>;
}

/** The path of a folder that is there. Throws `BadHfFolder`, `CheckpointIo`. */
export function hfFolder(path: string): string {
  const folder = resolve(path);
  try {
    const stats = statSync(folder, { throwIfNoEntry: false });
    if (stats?.isDirectory() === true) return folder;
    const reason = stats === undefined ? 'there is no such folder' : 'it is no folder';
    throw new BadHfFolder(folder, reason, 'name the folder of a model, with config.json and *.safetensors');
  } catch (cause) {
    if (cause instanceof BadHfFolder) throw cause;
    throw new CheckpointIo(folder, cause);
  }
}

/** Opens the tensors of a folder. Throws `BadHfFolder`, `CheckpointIo`. */
export async function openHfTensors(folder: string): Promise<HfTensors> {
  const whole = join(folder, HF_WEIGHTS);
  if (existsSync(whole)) return tensorsOf(folder, new Map([[HF_WEIGHTS, await headerOf(whole)]]), new Map());
  const index = await readHfJson(join(folder, HF_INDEX));
  if (index === null) throw new BadHfFolder(folder, `it has no ${HF_WEIGHTS}, and no ${HF_INDEX}`, remedyFor(folder));
  const said = weightMapOf(join(folder, HF_INDEX), index);
  const headers = new Map<string, SafetensorsHeader>();
  for (const file of [...new Set(said.values())].sort()) headers.set(file, await shardHeader(folder, file));
  const tensors = tensorsOf(folder, headers, said);
  for (const [name, file] of said) {
    if (headers.get(file)?.entries.has(name) === true) continue;
    throw new BadHfFolder(
      join(folder, HF_INDEX),
      `weight_map has ${name} in ${file}, which has none of that name`,
      AGAIN,
    );
  }
  return tensors;
}

/** The object in a JSON file of a folder; null where there is no such file. Throws `BadHfFolder`, `CheckpointIo`. */
export async function readHfJson(path: string): Promise<Readonly<Record<string, unknown>> | null> {
  try {
    if ((await stat(path)).size > MOST_JSON_BYTES)
      throw new BadHfFolder(path, 'it is too large to be JSON of a model', AGAIN);
    const value: unknown = JSON.parse(await readFile(path, 'utf8'));
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new BadHfFolder(path, 'it is no JSON object', AGAIN);
    }
    return Object.fromEntries(Object.entries(value));
  } catch (cause) {
    if (cause instanceof BadHfFolder) throw cause;
    if (cause instanceof SyntaxError) throw new BadHfFolder(path, `it is no JSON: ${cause.message}`, AGAIN, cause);
    if (systemCodeOf(cause) === 'ENOENT') return null;
    throw new CheckpointIo(path, cause);
  }
}

/** An index of a hundred thousand tensors has 10 MB. */
const MOST_JSON_BYTES = 2 ** 28;

const weightMap = z.record(z.string(), z.string().regex(/^[^/\\]+\.safetensors$/));

/** Names of files by names of tensors. */
function weightMapOf(path: string, { weight_map: map }: Readonly<Record<string, unknown>>): Map<string, string> {
  const read = weightMap.safeParse(map);
  if (read.success && Object.keys(read.data).length > 0) return new Map(Object.entries(read.data));
  const issue = read.error?.issues[0];
  const where = ['weight_map', ...(issue?.path.map(String) ?? [])].join('.');
  throw new BadHfFolder(path, `${where}: needs to be names of tensors with the .safetensors file of each`, AGAIN);
}

/** Of several files that have a tensor, the one that the index names. */
function tensorsOf(
  path: string,
  headers: ReadonlyMap<string, SafetensorsHeader>,
  said: ReadonlyMap<string, string>,
): HfTensors {
  const [fileOf, heads] = [new Map<string, string>(), new Map<string, TensorHead>()];
  for (const [file, { entries }] of headers) {
    for (const [name, { dtype, shape }] of entries) {
      if ((said.get(name) ?? file) !== file) continue;
      fileOf.set(name, join(path, file));
      heads.set(name, { name, dtype, shape });
    }
  }
  return { path, fileOf, heads };
}

async function shardHeader(folder: string, file: string): Promise<SafetensorsHeader> {
  const path = join(folder, file);
  if (existsSync(path)) return await headerOf(path);
  throw new BadHfFolder(join(folder, HF_INDEX), `weight_map names ${file}, which is not there`, 'fetch all files');
}

async function headerOf(path: string): Promise<SafetensorsHeader> {
  try {
    await using file = await SafetensorsFile.open(path);
    return file.header;
  } catch (cause) {
    if (cause instanceof DamagedCheckpoint) throw new BadHfFolder(path, cause.reason, AGAIN, cause);
    throw cause;
  }
}

const remedyFor = (folder: string): string =>
  ['pytorch_model.bin', 'pytorch_model.bin.index.json'].some((name) => existsSync(join(folder, name)))
    ? 'its pytorch_model.bin is pickled code, which is not run here: save it as safetensors'
    : 'fetch them, or name another folder';
