/** What the system says when a disk refuses, and what to do about it. */

/** The system's code of an error, such as `EACCES`; what the error says where it has none. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}

/** What helps against an error of this code. */
export function diskRemedy(code: string): string {
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return 'free space on that disk';
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return 'give permission there';
    default:
      return 'check that disk';
  }
}
