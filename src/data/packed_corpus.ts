/**
 * A corpus as training sees it: a stream of token ids and the runs of it that may be trained on or evaluated. Opening one
 * checks the stream against its index, so that what is open is what was packed; it stays on the disk.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { DamagedPack, firstIssue } from './errors.ts';
import { splitHeldOut } from './held_out.ts';
import type { TokenRange } from './held_out.ts';
import { INDEX_FILE, packedIndexSchema, streamFile } from './packed_index.ts';
import type { PackedIndex } from './packed_index.ts';
import { FileStream } from './token_stream.ts';
import type { TokenStream } from './token_stream.ts';
import type { TokenIds } from './tokenizers/tokenizer.ts';

export class PackedCorpus {
  readonly index: PackedIndex;
  readonly #stream: TokenStream;
  /** Runs of consecutive blocks that training may use, in stream order. */
  readonly train: readonly TokenRange[];
  /** Runs of consecutive blocks kept for evaluation, in stream order. */
  readonly heldOut: readonly TokenRange[];

  /** The index must describe the stream. */
  constructor(index: PackedIndex, stream: TokenStream) {
    const split = splitHeldOut(index.name, index.tokenCount, index.heldOutFraction, index.blockTokens);
    this.index = index;
    this.#stream = stream;
    this.train = split.train;
    this.heldOut = split.heldOut;
  }

  get name(): string {
    return this.index.name;
  }

  get digest(): string {
    return this.index.digest;
  }

  /** Tokens that training may use. */
  get trainTokens(): number {
    return this.train.reduce((sum, run) => sum + run.end - run.begin, 0);
  }

  /** Ids `[begin, end)` of the stream; throws `DamagedPack` if it is on a disk and no longer there. */
  read(begin: number, end: number): TokenIds {
    return this.#stream.read(begin, end);
  }

  /**
   * The packed corpus in `folder`; throws `DamagedPack` if it is incomplete or not what its index says. `saw` is called
   * now and then while the stream is read, and may throw to end it.
   */
  static open(folder: string, saw: () => void = () => undefined): PackedCorpus {
    const corpus = PackedCorpus.trusted(folder);
    const { name, dtype, tokenCount, sha256 } = corpus.index;
    new FileStream(join(folder, streamFile(name)), dtype).verify(tokenCount, sha256, saw);
    return corpus;
  }

  /** The same, of a stream that was verified before. Throws `DamagedPack` for what is wrong with the index. */
  static trusted(folder: string): PackedCorpus {
    const index = readIndex(folder);
    const corpus = new PackedCorpus(index, new FileStream(join(folder, streamFile(index.name)), index.dtype));
    if (JSON.stringify(corpus.heldOut) !== JSON.stringify(index.heldOut)) {
      throw new DamagedPack(folder, 'its held-out ranges follow another rule');
    }
    return corpus;
  }
}

function readIndex(folder: string): PackedIndex {
  const path = join(folder, INDEX_FILE);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new DamagedPack(folder, 'it has no readable index', cause);
  }
  try {
    return packedIndexSchema.parse(JSON.parse(text));
  } catch (cause) {
    const reason = cause instanceof z.ZodError ? firstIssue(cause) : 'it is not JSON';
    throw new DamagedPack(path, reason, cause);
  }
}
