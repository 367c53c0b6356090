/** A folder of the cache, of texts or of rows: which of them its index says. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DamagedPack } from './errors.ts';
import { PackedCorpus } from './packed_corpus.ts';
import { INDEX_FILE } from './packed_index.ts';
import { PackedRows } from './rows/packed_rows.ts';

/** Opens it, checked against its index. Throws `DamagedPack`. */
export function openPacked(folder: string): PackedCorpus | PackedRows {
  let index: unknown;
  try {
    index = JSON.parse(readFileSync(join(folder, INDEX_FILE), 'utf8'));
  } catch (cause) {
    throw new DamagedPack(folder, cause instanceof Error ? cause.message : 'it has no index', cause);
  }
  const isOfRows = typeof index === 'object' && index !== null && 'train' in index;
  return isOfRows ? PackedRows.open(folder) : PackedCorpus.open(folder);
}
