/** Why a record of routing cannot be written to, or its choices not be taken: what a user did, or what became of a file. */

/** The folder of a record is not there, is of another model, data or run, or lacks what a run needs. */
export class RoutingRefused extends Error {
  readonly tag = 'RoutingRefused';
  readonly exitCode = 2;
  constructor(key: 'moe.record' | 'moe.replay', path: string, what: string) {
    super(`${key}: ${path}: ${what}`);
    this.name = 'RoutingRefused';
  }
}

/** A line of a record is not as it was written. */
export class DamagedRouting extends Error {
  readonly tag = 'DamagedRouting';
  readonly exitCode = 2;
  constructor(path: string, line: number, what: string) {
    super(`${path}:${line}: ${what}; restore the file, or record anew`);
    this.name = 'DamagedRouting';
  }
}
