/**
 * The sums of squares of a gradient in memory that device and host share: the device makes the sum of each chunk in float64, and the
 * host adds these up. One tensor for sums serves all parameters, since what a run left there is read at once.
 */
import { ints } from '../../kernels/dtype.ts';
import type { Bindings, Device, Executable, Slice, Tensor } from '../../kernels/device.ts';
import { chunksOf, doublesOf } from '../../kernels/ops/chunk_squares.ts';
import { elements } from '../../kernels/shape.ts';
import type { Parameter } from '../../models/parameter.ts';
import { sumOfChunks } from './gradient_norm.ts';
import { chunkSquaresProgram } from './optimizer_programs.ts';

interface Sum {
  readonly executable: Executable;
  /** Words of its sums. */
  readonly words: number;
}

export class SharedSquares {
  private readonly device: Device;
  /** By parameter name. */
  private readonly ofParameter: ReadonlyMap<string, Sum>;
  /** Null where nothing learns. */
  private readonly sums: Tensor | null;

  private constructor(device: Device, ofParameter: ReadonlyMap<string, Sum>, sums: Tensor | null) {
    this.device = device;
    this.ofParameter = ofParameter;
    this.sums = sums;
  }

  /** Takes the memory of the sums from `slice`. Throws `OutOfSliceMemory`. */
  static async create(device: Device, slice: Slice, parameters: readonly Parameter[]): Promise<SharedSquares> {
    const ofParameter = new Map<string, Sum>();
    let most = 0;
    for (const { name, shape } of parameters) {
      const length = elements(shape);
      const executable = await device.compile(chunkSquaresProgram(length));
      ofParameter.set(name, { executable, words: 2 * chunksOf(length) });
      most = Math.max(most, chunksOf(length));
    }
    const sums = most === 0 ? null : slice.tensor('sums of squares', 'i32', [most, 2]);
    return new SharedSquares(device, ofParameter, sums);
  }

  /** Sum of squares of each of the tensors, by parameter name. */
  async of(tensors: Bindings): Promise<Record<string, number>> {
    const { device, sums } = this;
    const squares: Record<string, number> = {};
    if (sums === null) return squares;
    for (const [name, x] of Object.entries(tensors)) {
      const { executable, words } = this.ofParameter.get(name)!;
      await executable.run({ x, sums });
      squares[name] = sumOfChunks(doublesOf(ints('sums of squares', await device.read(sums, words))));
    }
    return squares;
  }
}
