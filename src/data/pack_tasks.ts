/**
 * What packing has its threads do: find files, examine them, check and encode pieces of them. A task is a function of
 * its argument alone and answers with data, what stops it too; piscina calls the functions of this module by their names.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { move, transferableSymbol, valueSymbol } from 'piscina';
import { matchedFiles } from './matched_files.ts';
import { examine, type Examination, type Examined } from './document.ts';
import { BadTokenizer, DamagedPack } from './errors.ts';
import { loadTokenizer } from './tokenizers/load_tokenizer.ts';
import { PackedCorpus } from './packed_corpus.ts';
import type { PlacedPiece } from './piece_texts.ts';
import { PieceReader } from './pieces.ts';
import type { Refusal } from './refusal.ts';
import { PackedRows } from './rows/packed_rows.ts';
import { measureOf, type MeasureTask, type RowMeasure } from './rows/row_measure.ts';
import {
  checkRows as checkTheRows,
  samplesOf,
  type RowsCheck,
  type Samples,
  type SampleTask,
} from './rows/sample_task.ts';
import { count, type SharedCount } from './shared_count.ts';
import { answering } from './task_fault.ts';
import { checkPieces, encodePieces, type Encoded } from './text_encoding.ts';
import type { Tokenizer } from './tokenizers/tokenizer.ts';

export interface ExamineTask extends Examination {
  readonly paths: readonly string[];
  readonly shared: SharedCount;
}

export interface CheckTask {
  readonly pieces: readonly PlacedPiece[];
  readonly cuts: Tokenizer['cuts'];
  readonly shared: SharedCount;
}

export interface EncodeTask {
  readonly pieces: readonly PlacedPiece[];
  /** Opened in every thread; another identity is another file by now. */
  readonly tokenizer: Pick<Tokenizer, 'source' | 'identity'>;
  /** Whether ids are wanted, or only how many. */
  readonly keep: boolean;
  readonly shared: SharedCount;
}

export interface HashedFile {
  readonly sha256: string;
  readonly bytes: number;
}

const reader = new PieceReader();
let opened: Tokenizer | null = null;

export const find = answering(matchedFiles);
export const examineAll = answering(examineEach);
export const check = answering(checkEach);
export const checkRows = answering(checkEachRow);
const answerEncode = answering(encodeEach);
const answerSamples = answering(sampleEach);

export async function encode(task: EncodeTask): Promise<object> {
  const answer = await answerEncode(task);
  const ids = 'value' in answer && answer.value.kind === 'encoded' ? answer.value.ids : null;
  return handedOver(answer, ids === null ? [] : [ids.buffer]);
}

export async function sampleRows(task: SampleTask & { shared: SharedCount }): Promise<object> {
  const answer = await answerSamples(task);
  if (!('value' in answer)) return answer;
  const { tokens, trained, sizes, labels } = answer.value;
  return handedOver(answer, [tokens.buffer, trained.buffer, sizes.buffer, labels.buffer]);
}

export const isWhole = answering(isWholePack);
export const hash = answering(hashFile);
export const measureRows = answering(measureEach);
export const areWholeRows = answering(areWhole);

/** The buffers are handed over, not copied: copies would be in memory until they are collected, on both sides. */
const handedOver = (answer: object, buffers: readonly ArrayBufferLike[]): object =>
  move({ [transferableSymbol]: buffers, [valueSymbol]: answer });

async function examineEach({ paths, shared, ...examination }: ExamineTask): Promise<Examined[]> {
  const examined: Examined[] = [];
  for (const path of paths) examined.push(await examine(path, examination, reader, (bytes) => count(shared, bytes)));
  return examined;
}

function checkEach({ pieces, cuts, shared }: CheckTask): Promise<Refusal | null> {
  return checkPieces(pieces, cuts, reader, (bytes) => count(shared, bytes));
}

async function encodeEach({ pieces, tokenizer, keep, shared }: EncodeTask): Promise<Encoded | Refusal> {
  return await encodePieces(pieces, tokenizerOf(tokenizer), reader, { keep, saw: (bytes) => count(shared, bytes) });
}

/** Whether the packed corpus in a folder is what its index says. */
function isWholePack({ folder, shared }: { folder: string; shared: SharedCount }): boolean {
  try {
    PackedCorpus.open(folder, () => count(shared, 0));
    return true;
  } catch (error) {
    if (error instanceof DamagedPack) return false;
    throw error;
  }
}

/** sha256 of a file, and how many bytes it has. */
async function hashFile({ path, shared }: { path: string; shared: SharedCount }): Promise<HashedFile> {
  const sha256 = createHash('sha256');
  let bytes = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20 })) {
    if (!Buffer.isBuffer(chunk)) continue;
    count(shared, chunk.length);
    bytes += chunk.length;
    sha256.update(chunk);
  }
  return { sha256: sha256.digest('hex'), bytes };
}

function checkEachRow({ shared, ...task }: RowsCheck & { shared: SharedCount }): void {
  checkTheRows(task, (bytes) => count(shared, bytes));
}

async function sampleEach({ shared, ...task }: SampleTask & { shared: SharedCount }): Promise<Samples> {
  return await samplesOf(task, tokenizerOf(task.tokenizer), (bytes) => count(shared, bytes));
}

async function measureEach({ shared, ...task }: MeasureTask & { shared: SharedCount }): Promise<RowMeasure> {
  return await measureOf(task, tokenizerOf(task.tokenizer), (bytes) => count(shared, bytes));
}

/** Whether the packed samples in a folder are what their index says. */
function areWhole({ folder, shared }: { folder: string; shared: SharedCount }): boolean {
  try {
    PackedRows.open(folder, () => count(shared, 0));
    return true;
  } catch (error) {
    if (error instanceof DamagedPack) return false;
    throw error;
  }
}

function tokenizerOf({ source, identity }: EncodeTask['tokenizer']): Tokenizer {
  if (opened?.source !== source) opened = loadTokenizer(source, '/');
  if (opened.identity !== identity)
    throw new BadTokenizer(source, 'it changed while texts were packed', 'launch again');
  return opened;
}
