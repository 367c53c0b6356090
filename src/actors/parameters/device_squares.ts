/**
 * The sums of squares of a gradient that the host would have to fetch: the device makes them in parts of 1024 elements, and
 * only those are read, all at once.
 */
import { floats } from '../../kernels/dtype.ts';
import type { Bindings, Device, Executable, Slice } from '../../kernels/device.ts';
import { partsOf } from '../../kernels/ops/square_sums.ts';
import { elements } from '../../kernels/shape.ts';
import type { Parameter } from '../../models/parameter.ts';
import { sumOfParts } from './gradient_norm.ts';
import { squareSumsProgram } from './optimizer_programs.ts';

export class DeviceSquares {
  private readonly device: Device;
  /** By parameter name. */
  private readonly executables: ReadonlyMap<string, Executable>;
  private readonly parts: Bindings;

  private constructor(device: Device, executables: ReadonlyMap<string, Executable>, parts: Bindings) {
    this.device = device;
    this.executables = executables;
    this.parts = parts;
  }

  /** Takes the memory of the parts from `slice`. Throws `OutOfSliceMemory`. */
  static async create(device: Device, slice: Slice, parameters: readonly Parameter[]): Promise<DeviceSquares> {
    const executables = new Map<string, Executable>();
    for (const { name, shape } of parameters)
      executables.set(name, await device.compile(squareSumsProgram(elements(shape))));
    const shapes = Object.fromEntries(parameters.map(({ name, shape }) => [name, [partsOf(elements(shape))]]));
    return new DeviceSquares(device, executables, slice.arena('sums of squares', shapes).views);
  }

  /** Sum of squares of each of the tensors, by parameter name. */
  async of(tensors: Bindings): Promise<Record<string, number>> {
    for (const [name, x] of Object.entries(tensors))
      await this.executables.get(name)!.run({ x, parts: this.parts[name] });
    const sums = Object.keys(tensors).map(
      async (name) => [name, sumOfParts(floats('sums of squares', await this.device.read(this.parts[name])))] as const,
    );
    return Object.fromEntries(await Promise.all(sums));
  }
}
