/**
 * What is wrong with a config: where (file, line and column, or the argument), which key, what was found and what is
 * allowed. The message is one line, of the first fault; the command line prints all `faults` and exits with `exitCode`.
 */
export class ConfigError extends Error {
  readonly tag = 'ConfigError';
  readonly exitCode = 2;
  /** Where the fault was written: `file.yaml:7:3`, or the argument such as `--set training.steps=abc`. */
  readonly where: string;
  /** Key path such as `training.steps`; empty where the whole file is meant. */
  readonly key: string;
  /** A line for each fault, in the order of the file; this error's own is the first. */
  readonly faults: readonly string[];

  constructor(where: string, key: string, problem: string, others: readonly ConfigError[] = []) {
    const fault = [where, key, problem].filter((part) => part !== '').join(': ');
    super(`${fault}${counted(others.length)}`);
    this.name = 'ConfigError';
    this.where = where;
    this.key = key;
    this.faults = [fault, ...others.flatMap(({ faults }) => faults)];
  }
}

function counted(more: number): string {
  if (more === 0) return '';
  return ` (and ${more} more ${more === 1 ? 'error' : 'errors'})`;
}
