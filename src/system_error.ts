/** What the system says when it refuses something, a disk or memory above all. A leaf that any folder may use. */

/** The system's code of an error, such as `EACCES`; null where it has none. */
export const systemCodeOf = (error: unknown): string | null =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null;

/** That code for a message; what the error says where it has none. */
export const codeOf = (error: unknown): string => systemCodeOf(error) ?? String(error);

/** Whether an error's text says that there was no memory to be had: of V8, of WebAssembly, of C++ or of the system. */
export const saysOutOfMemory = (text: string): boolean =>
  /allocation failed|could not allocate memory|out of memory|bad_alloc|\bENOMEM\b/i.test(text);

/** What helps against an error of this code; `orElse` is another way to get space. */
export function diskRemedy(code: string | null, orElse = ''): string {
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return `free space on that disk${orElse}`;
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return 'give permission there';
    case 'EISDIR':
    case 'ENOTDIR':
    case 'EEXIST':
      return 'remove what is in its place';
    default:
      return 'check that disk';
  }
}
