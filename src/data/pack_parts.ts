/**
 * The pieces of a corpus' files in the order of the stream, as many together as make a task. Threads read a plain file
 * where a piece lies; a compressed one has no places, so it is unpacked here, once from its beginning, as the threads go on.
 */
import { isGzip } from './corpus_format.ts';
import type { CorpusFile, FoundCorpus } from './found_corpus.ts';
import { GzipFile } from './gzip_file.ts';
import type { PlacedPiece } from './piece_texts.ts';

/** Small documents go to a thread together. */
const BYTES_A_TASK = 2 ** 20;

export async function* partsOf({ spec, files }: Pick<FoundCorpus, 'spec' | 'files'>): AsyncGenerator<PlacedPiece[]> {
  let task: PlacedPiece[] = [];
  let taskBytes = 0;
  for (const file of files) {
    for await (const piece of placedPieces(file, spec.textKey)) {
      task.push(piece);
      taskBytes += piece.bytes;
      if (taskBytes < BYTES_A_TASK) continue;
      yield task;
      task = [];
      taskBytes = 0;
    }
  }
  if (task.length > 0) yield task;
}

async function* placedPieces(file: CorpusFile, textKey: string): AsyncGenerator<PlacedPiece> {
  const { path, format, isMarked, pieces } = file;
  await using unpacked = isGzip(path) ? new GzipFile(path) : null;
  let begin = 0;
  for (const [at, piece] of pieces.entries()) {
    const bytesOfGzip = unpacked && (await nextBytes(unpacked, piece.bytes));
    const place = { isMarked: isMarked && at === 0, isLast: at === pieces.length - 1 };
    yield { ...piece, path, format, textKey, begin, bytesOfGzip, ...place };
    begin += piece.bytes;
  }
}

/** Fewer where the text ends, or cannot be read any more: then the file has changed, as the piece's checksum shows. */
async function nextBytes(unpacked: GzipFile, bytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const part = new Uint8Array(bytes);
  const room = Buffer.from(part.buffer);
  let held = 0;
  try {
    for (let got = -1; got !== 0 && held < bytes; held += got) got = await unpacked.read(room, held, bytes - held);
  } catch {
    return part.subarray(0, held);
  }
  return part.subarray(0, held);
}
