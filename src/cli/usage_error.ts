/** A command line that cannot be carried out as written: exit code 2, one line. */
export class UsageError extends Error {
  readonly tag = 'UsageError';
  readonly exitCode = 2;

  constructor(message: string) {
    super(message);
    this.name = 'UsageError';
  }
}
