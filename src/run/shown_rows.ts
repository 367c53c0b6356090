/**
 * The rows of a file as a model will see them: the samples that training would make of them, and statistics of all. Nothing is
 * written. Without a topology they are shown as a new one would have them: `bytes`, ChatML, the schema's own sequence length.
 */
import { resolve } from 'node:path';
import { matchedFiles, PackPool, withProgress, type PackProgress, type Tokenizer } from '../data/index.ts';
import {
  measuresOf,
  readRows,
  RowStatistics,
  Sampler,
  streaming,
  UnreadableRows,
  type Row,
  type RowFormat,
  type RowKind,
  type Sample,
  type SamplerOptions,
} from '../data/rows/index.ts';
import { defineTopology, type Topology } from '../topology/index.ts';
import { corporaOf, isLearntFrom, rowsOptionsOf, rowsSpecOf, tokenizerOf } from './corpus_specs.ts';

/** A topology and the folder of its file. */
export interface PlacedTopology {
  readonly topology: Topology;
  readonly baseDir: string;
}

/** One row and its samples: two of a pair, else one. */
export interface ShownRow {
  readonly line: number;
  readonly row: Row;
  readonly samples: readonly ShownSample[];
  readonly isDropped: boolean;
}

/** A sample as it is cut; of a row that is dropped, as it is. */
export interface ShownSample extends Sample {
  /** Tokens before it was cut. */
  readonly wholeTokens: number;
}

interface Seen {
  readonly path: string;
  readonly format: RowFormat;
  readonly kind: RowKind;
  readonly topology: Topology;
  readonly baseDir: string;
  /** Whether the rows are texts of a stream, which is cut without regard to them. */
  readonly isStream: boolean;
  /** Whether a corpus of the topology has the file; true where there is none. */
  readonly isInCorpora: boolean;
}

export class ShownRows {
  readonly kind: RowKind;
  readonly tokenizer: Tokenizer;
  readonly isStream: boolean;
  readonly isInCorpora: boolean;
  /** Whether the objective learns from rows of this kind. */
  readonly isLearnt: boolean;
  readonly topology: Topology;
  readonly #path: string;
  readonly #format: RowFormat;
  readonly #options: SamplerOptions;

  constructor({ path, format, kind, topology, baseDir, isStream, isInCorpora }: Seen) {
    this.kind = kind;
    this.topology = topology;
    this.isStream = isStream;
    this.isInCorpora = isInCorpora;
    this.isLearnt = isLearntFrom(kind, topology.objective);
    this.tokenizer = tokenizerOf(topology, baseDir);
    this.#path = path;
    this.#format = { ...format, kind };
    const { sampler } = rowsOptionsOf(topology, this.tokenizer);
    this.#options = isStream ? { ...sampler, sequenceLength: Infinity } : sampler;
  }

  /** The first rows. Throws `BadRow`, `BadChatTemplate`, `UnreadableRows`. */
  async *first(rows: number): AsyncGenerator<ShownRow> {
    if (rows === 0) return;
    const sampler = new Sampler(this.isStream ? streaming(this.tokenizer) : this.tokenizer, this.#options);
    let left = rows;
    for await (const { row, place } of readRows(this.#path, this.#format)) {
      const whole = await sampler.whole(row, place);
      const kept = sampler.kept(row, whole);
      const samples = whole.map((sample, i) => ({ ...(kept?.[i] ?? sample), wholeTokens: sample.tokens.length }));
      yield { line: place.line, row, samples, isDropped: kept === null };
      if (--left === 0) return;
    }
  }

  /** Of all rows, made on threads in flat memory. `isUnwanted` is asked now and then: true ends it. Throws the same. */
  async statistics(progress: (progress: PackProgress) => void, isUnwanted: () => boolean): Promise<RowStatistics> {
    await using pool = new PackPool();
    using _progress = withProgress(pool, progress, null);
    const { source, identity } = this.tokenizer;
    const task = { format: this.#format, options: this.#options, tokenizer: { source, identity } };
    const statistics = new RowStatistics();
    for await (const measure of measuresOf(this.#path, { ...task, isStream: this.isStream }, pool)) {
      statistics.add(measure);
      if (isUnwanted()) break;
    }
    return statistics;
  }
}

/** Opens a file of rows. Throws `BadRow` where its first one is of no kind, `UnreadableRows`, `BadTokenizer`. */
export async function openRows(file: string, placed: PlacedTopology | null): Promise<ShownRows> {
  const path = resolve(file);
  if (placed === null) {
    const format = { kind: null, columns: {} };
    const kind = await kindOf(path, format);
    const topology = defineTopology({ data: { rows: path }, objective: { kind: objectives[kind] } });
    return new ShownRows({
      ...{ path, format, kind, topology, baseDir: resolve('.') },
      ...{ isStream: kind === 'text', isInCorpora: true },
    });
  }
  const { topology, baseDir } = placed;
  const section = corporaOf(topology.data).find((each) => {
    const matched = matchedFiles({ ...rowsSpecOf(each), baseDir });
    return matched.kind === 'matched' && matched.files.some((found) => found.path === path);
  });
  const format = { kind: null, columns: section?.columns ?? {} };
  const kind = await kindOf(path, format);
  const isStream = kind === 'text' && section?.format !== 'rows';
  return new ShownRows({ path, format, kind, topology, baseDir, isStream, isInCorpora: section !== undefined });
}

/** What a new topology would have for rows of each kind; nothing learns from pairs yet. */
const objectives = { text: 'next_token', chat: 'chat', preference: 'chat', attributes: 'attributes' } as const;

async function kindOf(path: string, format: RowFormat): Promise<RowKind> {
  for await (const { row } of readRows(path, format)) return row.kind;
  throw new UnreadableRows(path, 'it has no row', 'write one JSON object a line');
}
