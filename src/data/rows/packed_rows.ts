/**
 * Packed samples as training sees them: tokens, targets and labels of each, and which of them a sequence has. Opening them checks
 * every file against the index. Tokens stay on the disk; where each sample lies is in memory, 16 bytes a sample and 4 a label.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { DamagedPack, firstIssue } from '../errors.ts';
import { INDEX_FILE } from '../packed_index.ts';
import { FileStream } from '../token_stream.ts';
import type { TokenIds } from '../tokenizers/tokenizer.ts';
import { rowsFiles, rowsIndexSchema, SAMPLE_WORDS, type RowsIndex } from './rows_index.ts';

/** A sample, and where it lies. */
export interface PackedSample {
  readonly begin: number;
  readonly length: number;
  /** Tokens of it that are targets. */
  readonly targets: number;
  /** NaN where there is none; empty where samples have no labels. */
  readonly labels: Float32Array;
}

/** Samples to learn from, or those that are held out. */
export type RowsPart = 'train' | 'heldOut';

export class PackedRows {
  readonly index: RowsIndex;
  readonly #tokens: FileStream;
  readonly #trained: FileStream;
  readonly #samples: FileStream;
  readonly #starts: FileStream;
  #places: { readonly samples: Uint32Array; readonly starts: Uint32Array } | null = null;

  private constructor(folder: string, index: RowsIndex) {
    this.index = index;
    const at = (file: keyof typeof rowsFiles): string => join(folder, rowsFiles[file]);
    this.#tokens = new FileStream(at('tokens'), index.dtype);
    this.#trained = new FileStream(at('trained'), 'u8');
    this.#samples = new FileStream(at('samples'), 'u32');
    this.#starts = new FileStream(at('starts'), 'u32');
  }

  get name(): string {
    return this.index.name;
  }

  get digest(): string {
    return this.index.digest;
  }

  /** Sequences of a part. */
  sequencesOf(part: RowsPart): number {
    return this.index[part].sequences;
  }

  /** The samples of a sequence, in the order in which they lie in it. Throws `DamagedPack`. */
  samplesOf(part: RowsPart, sequence: number): PackedSample[] {
    const { train, labels } = this.index;
    const at = part === 'train' ? sequence : train.sequences + sequence;
    const { samples, starts } = this.#inMemory();
    const [first, end] = starts.subarray(at, at + 2);
    const words = SAMPLE_WORDS + labels;
    return Array.from({ length: end - first }, (_, i) => {
      const own = samples.slice((first + i) * words, (first + i + 1) * words);
      const [low, high, length, targets] = own;
      const numbers = new Float32Array(own.buffer, SAMPLE_WORDS * 4, labels);
      return { begin: high * 2 ** 32 + low, length, targets, labels: numbers };
    });
  }

  #inMemory(): { readonly samples: Uint32Array; readonly starts: Uint32Array } {
    const { train, heldOut, labels } = this.index;
    const samples = train.samples + heldOut.samples;
    const sequences = train.sequences + heldOut.sequences;
    return (this.#places ??= {
      samples: wordsOf(this.#samples.read(0, samples * (SAMPLE_WORDS + labels))),
      starts: wordsOf(this.#starts.read(0, sequences + 1)),
    });
  }

  /** Ids of a sample, and 1 for each of them that is a target. Throws `DamagedPack`. */
  read({ begin, length }: PackedSample): { readonly tokens: ArrayLike<number>; readonly trained: ArrayLike<number> } {
    return { tokens: this.#tokens.read(begin, begin + length), trained: this.#trained.read(begin, begin + length) };
  }

  /**
   * The packed samples in `folder`; throws `DamagedPack` if they are incomplete or not what their index says. `saw` is called now
   * and then while files are read, and may throw to end it.
   */
  static open(folder: string, saw: () => void = () => undefined): PackedRows {
    const rows = PackedRows.trusted(folder);
    const { train, heldOut, tokens, labels, sha256 } = rows.index;
    const samples = train.samples + heldOut.samples;
    rows.#tokens.verify(tokens, sha256.tokens, saw);
    rows.#trained.verify(tokens, sha256.trained, saw);
    rows.#samples.verify(samples * (SAMPLE_WORDS + labels), sha256.samples, saw);
    rows.#starts.verify(train.sequences + heldOut.sequences + 1, sha256.starts, saw);
    return rows;
  }

  /** The same, of files that were verified before. Throws `DamagedPack` for what is wrong with the index. */
  static trusted(folder: string): PackedRows {
    const path = join(folder, INDEX_FILE);
    try {
      return new PackedRows(folder, rowsIndexSchema.parse(JSON.parse(readFileSync(path, 'utf8'))));
    } catch (cause) {
      const reason =
        cause instanceof z.ZodError ? firstIssue(cause) : cause instanceof Error ? cause.message : 'unknown';
      throw new DamagedPack(path, reason, cause);
    }
  }
}

/** A stream of words reads them as such; nothing is copied. */
const wordsOf = (read: TokenIds): Uint32Array => (read instanceof Uint32Array ? read : new Uint32Array(read));
