/** The system's code of an error, such as `EACCES`; what the error says where it has none. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
