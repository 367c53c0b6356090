/**
 * A folder with real files for one test, gone after it; and corpora that exist only in memory.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, onTestFinished } from 'vitest';
import { BLOCK_TOKENS, memoryStream, PackedCorpus, PackPool, splitHeldOut } from '../../src/data/index.ts';
import type { CorpusSpec, TokenIds } from '../../src/data/index.ts';

/** Makes a folder that holds these files, by path below it. */
export function scratchFolder(files: Readonly<Record<string, string | Uint8Array>> = {}): string {
  const folder = mkdtempSync(join(tmpdir(), 'troupe-data-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return folder;
}

/** A corpus specification with everything at its default but what is given. */
export function spec(fields: Partial<CorpusSpec> = {}): CorpusSpec {
  const usual = {
    name: 'texts',
    globs: ['**/*.txt'],
    weight: 1,
    format: 'auto',
    textKey: 'text',
    maxFileBytes: 2 ** 20,
  } as const;
  return { ...usual, ...fields };
}

/** A packed corpus over tokens in memory, as the `bytes` tokenizer would make it. */
export function corpusOf(name: string, tokens: TokenIds, heldOutFraction = 0.1): PackedCorpus {
  return new PackedCorpus(
    {
      version: 2,
      name,
      digest: createHash('sha256').update(name).update(tokens).digest('hex'),
      tokenizer: 'bytes',
      vocabSize: 256,
      separatorId: 0,
      dtype: 'u8',
      tokenCount: tokens.length,
      documentCount: 1,
      emptyRows: 0,
      bytes: tokens.length,
      textBytes: tokens.length - 1,
      filesFound: 1,
      skipped: { empty: 0, tooLarge: 0, notUtf8: 0, duplicate: 0, notAFile: 0, ownOutput: 0 },
      heldOutFraction,
      blockTokens: BLOCK_TOKENS,
      heldOut: [...splitHeldOut(name, tokens.length, heldOutFraction).heldOut],
      sha256: '0'.repeat(64),
    },
    memoryStream(tokens),
  );
}

/** Packing threads for the tests of a file. */
export function poolOfFile(threads = 2): PackPool {
  const pool = new PackPool({ threads });
  afterAll(async () => await pool[Symbol.asyncDispose]());
  return pool;
}

/** All its ids. */
export function allOf(corpus: PackedCorpus): TokenIds {
  return corpus.read(0, corpus.index.tokenCount);
}

/** A corpus of `count` tokens, each of the given value. */
export function constantCorpus(name: string, count: number, value: number): PackedCorpus {
  return corpusOf(name, new Uint8Array(count).fill(value));
}

/** What an action throws. */
export function thrownBy(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

/** What a promise rejects with. */
export async function rejectionOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('nothing was rejected');
}

/** A pool of one thread that is interrupted as soon as something is encoded. */
export function interruptedPool(): PackPool {
  const controller = new AbortController();
  class Interrupted extends PackPool {
    override async encode(task: Parameters<PackPool['encode']>[0]): ReturnType<PackPool['encode']> {
      const encoded = await super.encode(task);
      controller.abort(new Error('interrupted'));
      return encoded;
    }
  }
  return new Interrupted({ threads: 1, signal: controller.signal });
}
