/**
 * Files of a folder of Hugging Face's that say nothing of tensors: the original config.json, the tokenizer's and those for generating.
 * A run directory keeps them in a folder of their own, and gives them on to whatever is exported of it.
 */
import { copyFile, mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CheckpointIo } from '../checkpoints/index.ts';
import { systemCodeOf } from '../system_error.ts';

/** Where a run directory has them. */
export const KEPT_FOLDER = 'hugging_face';

/** Beside config.json, which an export writes itself. */
export const keptFiles = [
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'tokenizer.model',
  'vocab.json',
  'merges.txt',
  'chat_template.jinja',
  'generation_config.json',
];

/** Further templates, such as one for tools. */
const templates = 'additional_chat_templates';

/** Copies those of the named files that are there, and returns their names. Throws `CheckpointIo`. */
export async function copyKept(from: string, to: string, names: readonly string[]): Promise<string[]> {
  const copied: string[] = [];
  for (const name of [...names, ...(await templatesIn(from))]) {
    if (!(await isFile(join(from, name)))) continue;
    try {
      if (name.includes('/')) await mkdir(join(to, templates), { recursive: true });
      await copyFile(join(from, name), join(to, name));
    } catch (cause) {
      throw new CheckpointIo(join(to, name), cause);
    }
    copied.push(name);
  }
  return copied;
}

async function templatesIn(folder: string): Promise<string[]> {
  try {
    const names = await readdir(join(folder, templates));
    return names.filter((name) => name.endsWith('.jinja')).map((name) => `${templates}/${name}`);
  } catch (cause) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCodeOf(cause) ?? '')) return [];
    throw new CheckpointIo(join(folder, templates), cause);
  }
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch (cause) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCodeOf(cause) ?? '')) return false;
    throw new CheckpointIo(path, cause);
  }
}
