/**
 * What is wrong with a config, in one line: where (file, line and column, or the argument), which key, what was found and
 * what is allowed. The command line prints the message and exits with `exitCode`.
 */
export class ConfigError extends Error {
  readonly tag = 'ConfigError';
  readonly exitCode = 2;
  /** Where the fault was written: `file.yaml:7:3`, or the argument such as `--set training.steps=abc`. */
  readonly where: string;
  /** Key path such as `training.steps`; empty where the whole file is meant. */
  readonly key: string;

  constructor(where: string, key: string, problem: string) {
    super([where, key, problem].filter((part) => part !== '').join(': '));
    this.name = 'ConfigError';
    this.where = where;
    this.key = key;
  }
}
