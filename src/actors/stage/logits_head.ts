/** The head of generation computes the logits of the token that follows one position of a single sequence. */
import type { Bindings, Device, Executable, Slice, Tensor } from '../../kernels/device.ts';
import { floats } from '../../kernels/dtype.ts';
import { typeOf } from '../../kernels/program.ts';
import type { Model } from '../../models/model.ts';
import { tensorFor, weightBindings } from './bindings.ts';

export class LogitsHead {
  private readonly device: Device;
  private readonly executable: Executable;
  private readonly bindings: Bindings;
  private readonly position: Tensor;
  private readonly output: Tensor;

  private constructor(device: Device, executable: Executable, bindings: Bindings, position: Tensor, output: Tensor) {
    this.device = device;
    this.executable = executable;
    this.bindings = bindings;
    this.position = position;
    this.output = output;
  }

  /** The head over `x_RD`, the rows behind the last layer. Throws `OutOfSliceMemory`. */
  static async create(
    device: Device,
    slice: Slice,
    { program, weights }: NonNullable<Model['logits']>,
    x_RD: Tensor,
    values: Bindings,
  ): Promise<LogitsHead> {
    const position = tensorFor(slice, 'position', typeOf(program, 'position_2'));
    const output = tensorFor(slice, 'logits', typeOf(program, 'logits_2V'));
    const rows = { x_RD, position_2: position, logits_2V: output };
    return new LogitsHead(
      device,
      await device.compile(program),
      { ...weightBindings(weights, values), ...rows },
      position,
      output,
    );
  }

  /** f32 [V] for the token after row `at`. A single row would have other bits, so the row is taken twice. */
  async at(at: number): Promise<Float32Array> {
    this.device.write(this.position, Int32Array.of(at, at));
    await this.executable.run(this.bindings);
    const vocabulary = this.output.shape[1];
    return floats('logits', await this.device.read(this.output, vocabulary)).slice();
  }
}
