/**
 * Copies of a program run one after another: where their buffers are not in banks, or would be too large for all of them. It
 * gives the same bits as at once, and takes the room of one.
 */
import type { Bindings, Executable, RunTimes } from '../device.ts';
import type { Program } from '../program.ts';
import type { LiveSizes } from '../shape.ts';
import { nameBeside } from '../side_by_side.ts';

/** Something that runs as soon as it is asked to: the queue sees to the order. */
export interface Runnable extends Executable {
  /** Throws what is wrong with the operands. */
  runNow(bindings: Bindings, live: LiveSizes): void;
}

export class OneByOne implements Runnable {
  readonly program: Program;
  /** Scratch and time are those of the program that it runs. */
  readonly scratchBytes = 0;
  readonly times: RunTimes = { runs: 0, nativeMs: 0, wasmMs: 0, hostMs: 0 };
  private readonly single: Runnable;
  private readonly dims: readonly string[];

  /** `single`: what `program` has copies of; `dims`: names of its dynamic dimensions. */
  constructor(program: Program, single: Runnable, dims: readonly string[]) {
    this.program = program;
    this.single = single;
    this.dims = dims;
  }

  run(bindings: Bindings, live: LiveSizes = {}): Promise<void> {
    return new Promise((resolve) => {
      this.runNow(bindings, live);
      resolve();
    });
  }

  runLater(bindings: Bindings, live: LiveSizes = {}): Promise<void> {
    return this.run(bindings, live);
  }

  runNow(bindings: Bindings, live: LiveSizes): void {
    const { inputs, outputs } = this.single.program;
    for (let i = 0; i < (this.program.copies?.count ?? 1); i++) {
      const own = [...inputs, ...outputs].map(({ name }) => [name, bindings[nameBeside(name, i)]] as const);
      const sizes = this.dims.map((name) => [name, live[nameBeside(name, i)]] as const);
      this.single.runNow(Object.fromEntries(own), Object.fromEntries(sizes));
    }
  }
}
