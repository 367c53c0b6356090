/**
 * The format of a corpus says what a file of it holds: one text, the strings of a JSON document, or rows of JSON. With
 * `auto` a file's name tells. Whether a file is compressed its name tells too, with any format.
 */

/** What one file holds. `text`: a document. `json_strings`: a JSON file whose strings are one. `jsonl`: a document a line. */
export type FileFormat = 'text' | 'json_strings' | 'jsonl';

/** What the files of a corpus hold; `auto`: rows where a name ends in .jsonl or .ndjson, else text. */
export type CorpusFormat = FileFormat | 'auto';

/** What a file of a corpus holds. */
export function formatOfFile(path: string, format: CorpusFormat): FileFormat {
  if (format !== 'auto') return format;
  return /\.(?:jsonl|ndjson)(?:\.gz)?$/i.test(path) ? 'jsonl' : 'text';
}

/** Whether a file is compressed with gzip; what it holds is the text in it. */
export const isGzip = (path: string): boolean => /\.gz$/i.test(path);
