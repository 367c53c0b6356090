/** Rows that follow each other in a file, made samples on a thread: their ids and what is learnt of them, laid end to end. */
import { tokenDtype, tokensAs, type Tokenizer } from '../tokenizers/tokenizer.ts';
import { ATTRIBUTES, type Row } from './row.ts';
import { BadRow, type RowPlace } from './row_error.ts';
import { rowOf, type RowFormat } from './row_kind.ts';
import type { RowText } from './row_lines.ts';
import { isTrained, targetsOf, type Sample } from './sample.ts';
import { checkLearnt, Sampler, type RowCounts, type SamplerOptions } from './sampler.ts';

/** Kinds that are packed: a pair has two samples, which no objective learns from yet. */
export type SampledKind = 'text' | 'chat' | 'attributes';

export interface SampleTask {
  readonly path: string;
  readonly rows: readonly RowText[];
  /** Of the file, that the rows took. */
  readonly bytes: number;
  /** Its kind is the one that all rows must have. */
  readonly format: RowFormat;
  readonly options: SamplerOptions;
  /** Opened in every thread; another identity is another file by now. */
  readonly tokenizer: Pick<Tokenizer, 'source' | 'identity'>;
}

/** Rows that are to be looked at before samples are made of any. */
export type RowsCheck = Omit<SampleTask, 'tokenizer'>;

export interface Samples {
  /** Ids as they are stored. */
  readonly tokens: Uint8Array<ArrayBuffer>;
  /** 1 for each id that is a target. */
  readonly trained: Uint8Array<ArrayBuffer>;
  /** By sample: how many ids it has, and how many of them are targets. */
  readonly sizes: Uint32Array<ArrayBuffer>;
  /** By sample; none where rows have no labels. */
  readonly labels: Float32Array<ArrayBuffer>;
  readonly counts: RowCounts;
}

/** Labels of a sample of this kind. */
export const labelsOf = (kind: SampledKind): number => (kind === 'attributes' ? ATTRIBUTES.length : 0);

/** Throws `BadRow` where no sample can be made of a row, whatever its template says. `saw` is called as for `samplesOf`. */
export function checkRows({ path, rows, bytes, format, options }: RowsCheck, saw: (bytes: number) => void): void {
  for (const { line, text } of rows) {
    saw(0);
    const place = { path, line };
    checkLearnt(rowOf(text, format, place), options, place);
  }
  saw(bytes);
}

/** Throws `BadRow`, `BadChatTemplate`. `saw` is called at each row, and told of the bytes that all of them took. */
export async function samplesOf(
  { path, rows, bytes, format, options }: SampleTask,
  tokenizer: Tokenizer,
  saw: (bytes: number) => void,
): Promise<Samples> {
  const sampler = new Sampler(tokenizer, options);
  const samples: Sample[] = [];
  const labels: number[] = [];
  for (const { line, text } of rows) {
    saw(0);
    const place = { path, line };
    const row = rowOf(text, format, place);
    const made = await sampleOf(sampler, row, place);
    if (made === null) continue;
    samples.push(made.sample);
    labels.push(...made.labels);
  }
  saw(bytes);
  const dtype = tokenDtype(tokenizer.vocabSize);
  return {
    tokens: joined(samples.map(({ tokens }) => bytesOf(tokensAs(dtype, tokens)))),
    trained: joined(samples.map(({ trained }) => trained)),
    sizes: Uint32Array.from(samples.flatMap((sample) => [sample.tokens.length, targetsOf(sample)])),
    labels: Float32Array.from(labels),
    counts: sampler.counts,
  };
}

async function sampleOf(
  sampler: Sampler,
  row: Row,
  place: RowPlace,
): Promise<{ readonly sample: Sample; readonly labels: Iterable<number> } | null> {
  if (row.kind === 'preference') {
    throw new BadRow(place, null, 'a row of two answers to choose from', 'no objective learns from such rows yet');
  }
  if (row.kind === 'attributes') {
    const made = await sampler.attributes(row, place);
    // What is learnt are the labels; no token is a target.
    return made === null
      ? null
      : { sample: { tokens: made.tokens, trained: new Uint8Array(made.tokens.length) }, labels: made.labels };
  }
  const sample = await sampler.sample(row, place);
  return sample === null || !isTrained(sample) ? null : { sample, labels: [] };
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);
