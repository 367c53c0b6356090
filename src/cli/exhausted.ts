/** Errors by which the system says that it has no more of something, wherever they came up, and what to do then. */
import { codeOf, saysOutOfMemory } from '../system_error.ts';
import { openFilesLimit, raiseLimit } from './open_files.ts';

/** For an error of too many open files; null for any other. */
export function openFilesRemedy(error: Error): string | null {
  if (!/\bE[MN]FILE\b|too many open files/i.test(`${codeOf(error)} ${error.message}`)) return null;
  const limit = openFilesLimit();
  return `${limit === null ? '' : `at most ${limit} files may be open at once here; `}${raiseLimit}`;
}

/** For an error of too little memory, of V8 or of onnxruntime, that no layer put into words; null for any other. */
export function memoryRemedy(error: Error): string | null {
  if ('tag' in error || !saysOutOfMemory(`${codeOf(error)} ${error.message}`)) return null;
  return 'out of memory: end other programs, or make the model, the microbatch or the number of workers smaller';
}
