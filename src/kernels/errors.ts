/**
 * What can go wrong in the kernels layer. Each class carries a tag to switch on and one line that says what, where
 * and what to do. `ShapeError` and `DTypeError` mean that a program was written wrong; the others can meet a user.
 */

/** An op was given operands that do not fit together. */
export class ShapeError extends Error {
  readonly tag = 'ShapeError';
  constructor(op: string, message: string) {
    super(`${op}: ${message}`);
    this.name = 'ShapeError';
  }
}

/** An operand has another element type than the op reads or writes. */
export class DTypeError extends Error {
  readonly tag = 'DTypeError';
  constructor(op: string, expected: string, found: string) {
    super(`${op}: expected ${expected}, found ${found}`);
    this.name = 'DTypeError';
  }
}

/** A program cannot be traced, differentiated or bound as asked. */
export class ProgramError extends Error {
  readonly tag = 'ProgramError';
  constructor(program: string, message: string) {
    super(`program ${program}: ${message}`);
    this.name = 'ProgramError';
  }
}

/** A slice has no room for what its owner asked. */
export class OutOfSliceMemory extends Error {
  readonly tag = 'OutOfSliceMemory';
  readonly owner: string;
  readonly askedBytes: number;
  readonly usedBytes: number;
  readonly budgetBytes: number;
  constructor(owner: string, what: string, askedBytes: number, usedBytes: number, budgetBytes: number) {
    super(
      `${owner}: no room for ${what}: asked ${megabytes(askedBytes)}, used ${megabytes(usedBytes)} of a budget of ` +
        `${megabytes(budgetBytes)}; raise cluster.memory_per_worker or make the model or the microbatch smaller`,
    );
    this.name = 'OutOfSliceMemory';
    this.owner = owner;
    this.askedBytes = askedBytes;
    this.usedBytes = usedBytes;
    this.budgetBytes = budgetBytes;
  }
}

const megabytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(2)} MiB`;
