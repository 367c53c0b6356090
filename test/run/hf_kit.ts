/** Folders of Hugging Face's for tests: copies of the golden ones, to be changed, and what is in the files of one. */
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const goldens = fileURLToPath(new URL('../golden', import.meta.url));

export const goldenFolder = (name: string): string => join(goldens, name);

/** A folder for what a test file makes. */
export class Scratch implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'troupe-hf-'));
  private made = 0;

  /** A path of which there is nothing. */
  fresh(): string {
    return join(this.path, `new-${this.made++}`);
  }

  /** A golden folder to be changed. */
  copyOf(name: string): string {
    const folder = this.fresh();
    cpSync(goldenFolder(name), folder, { recursive: true });
    return folder;
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

export interface StoredTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly hex: string;
}

/** Every tensor of a folder, read by the format's own description. */
export function tensorsIn(folder: string): Map<string, StoredTensor> {
  const tensors = new Map<string, StoredTensor>();
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.safetensors'))) {
    const bytes = readFileSync(join(folder, file));
    const length = Number(bytes.readBigUInt64LE());
    for (const [name, { dtype, shape, data_offsets }] of Object.entries(headerOf(bytes))) {
      const [begin, end] = data_offsets.map((offset) => 8 + length + offset);
      tensors.set(name, { dtype, shape, hex: bytes.toString('hex', begin, end) });
    }
  }
  return tensors;
}

type Header = Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>;

function headerOf(bytes: Buffer): Header {
  const length = Number(bytes.readBigUInt64LE());
  const { __metadata__: _, ...entries } = JSON.parse(bytes.toString('utf8', 8, 8 + length)) as Header;
  return entries;
}

/** Writes the whole file of a folder anew, of these tensors. */
export function writeTensors(folder: string, tensors: ReadonlyMap<string, StoredTensor>): void {
  let at = 0;
  const header: Header = {};
  for (const [name, { dtype, shape, hex }] of tensors) {
    header[name] = { dtype, shape: [...shape], data_offsets: [at, (at += hex.length / 2)] };
  }
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const data = [...tensors.values()].map(({ hex }) => Buffer.from(hex, 'hex'));
  writeFileSync(join(folder, 'model.safetensors'), Buffer.concat([length, json, ...data]));
}

export const jsonIn = (folder: string, file: string): Record<string, unknown> =>
  JSON.parse(readFileSync(join(folder, file), 'utf8')) as Record<string, unknown>;

/** Changes keys of config.json; undefined leaves one out. */
export function changeConfig(folder: string, keys: Readonly<Record<string, unknown>>): void {
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...jsonIn(folder, 'config.json'), ...keys }));
}

/** Names in a folder, none where there is no such folder. */
export const namesIn = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder).sort() : []);
