/**
 * Compiled programs as files for whoever debugs them: `TROUPE_DUMP=dir` has every worker write there, for each program,
 * its ops and how they are split (`NAME.txt`), and what runs: generated code (`NAME.wat`), each ONNX model as text and as it
 * is given to onnxruntime (`NAME.N.onnx.txt`, `NAME.N.onnx`), or shaders (`NAME.wgsl`). NAME is the program's with a digest of its ops and shapes, since
 * programs for other shapes may have the same name; workers that compile the same program write the same files.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { show, type Program } from './program.ts';

/** Takes a file's name, after that of the program, and its content. */
export type Dump = (suffix: string, content: string | Uint8Array) => void;

const nothing: Dump = () => undefined;

/** Where this process's devices dump programs, if anywhere. */
export const dumpFolder = (): string | undefined => process.env.TROUPE_DUMP;

/** For the files of `program`. Throws `SystemError` where the folder cannot be written. */
export function dumpOf(program: Program, folder = dumpFolder()): Dump {
  if (folder === undefined || folder === '') return nothing;
  mkdirSync(folder, { recursive: true });
  const digest = createHash('sha256').update(show(program)).digest('hex').slice(0, 8);
  return (suffix, content) => writeFileSync(join(folder, `${program.name}-${digest}${suffix}`), content);
}
