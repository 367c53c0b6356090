/**
 * The parameters that one role holds, with their moments and the memory for their gradients, in flat arenas of its
 * slice: one arena for those that weight decay shrinks, one for the others. Stages, routers and experts all keep their
 * state this way.
 */
import { createHash } from 'node:crypto';
import { floats, type Data } from '../../kernels/dtype.ts';
import type { Bindings, Device, Executable, FlatArena, Slice, Tensor } from '../../kernels/device.ts';
import { initialValues, type Parameter } from '../../models/parameter.ts';
import type { TensorPayload } from '../../runtime/index.ts';
import type { OptimizerSection } from '../../topology/index.ts';
import { alike } from '../placement/alike.ts';
import { DeviceSquares } from './device_squares.ts';
import { sumOfSquares } from './gradient_norm.ts';
import { accumulateProgram, adamwProgram } from './optimizer_programs.ts';
import type { Decision } from '../protocol/parameters.ts';
import { dataOf, payload } from '../protocol/pass.ts';

/** Room for the gradients of all parameters of a set. */
export interface Gradient {
  readonly arenas: readonly FlatArena[];
  readonly views: Bindings;
}

interface Group {
  readonly parameters: readonly Parameter[];
  readonly values: FlatArena;
  readonly moment1: FlatArena;
  readonly moment2: FlatArena;
  readonly accumulate: Executable;
  readonly adamw: Executable;
}

export class ParameterSet {
  readonly parameters: readonly Parameter[];
  /** Parameter values by parameter name. */
  readonly values: Bindings;
  private readonly device: Device;
  private readonly slice: Slice;
  private readonly groups: readonly Group[];
  private readonly hyper: Tensor;
  /** Null where the host sums the squares, over the device's own memory. */
  private readonly deviceSquares: DeviceSquares | null;
  private readonly spare: Gradient[] = [];
  private reserved = 0;

  private constructor(
    device: Device,
    slice: Slice,
    parameters: readonly Parameter[],
    { groups, deviceSquares }: { groups: readonly Group[]; deviceSquares: DeviceSquares | null },
  ) {
    this.device = device;
    this.slice = slice;
    this.parameters = parameters;
    this.groups = groups;
    this.deviceSquares = deviceSquares;
    this.values = viewsOf(groups.map((group) => group.values));
    this.hyper = slice.tensor('optimizer settings', 'f32', [8]);
  }

  /** Takes the memory from `slice` and fills in initial values. Throws `OutOfSliceMemory`, `ParameterUsedTwice`. */
  static async create(
    device: Device,
    slice: Slice,
    parameters: readonly Parameter[],
    seed: number,
  ): Promise<ParameterSet> {
    const names = new Set<string>();
    for (const { name } of parameters) {
      if (names.has(name)) throw new ParameterUsedTwice(slice.owner, name);
      names.add(name);
    }
    const groups: Group[] = [];
    for (const decays of [true, false]) {
      const members = parameters.filter((parameter) => parameter.decays === decays);
      if (members.length === 0) continue;
      const shapes = shapesOf(members);
      const values = slice.arena('parameters', shapes);
      const length = values.flat.shape[0];
      groups.push({
        parameters: members,
        values,
        moment1: slice.arena('first moments', shapes),
        moment2: slice.arena('second moments', shapes),
        accumulate: await device.compile(accumulateProgram(length)),
        adamw: await device.compile(adamwProgram(length, decays)),
      });
    }
    const deviceSquares = device.sharesMemory ? null : await DeviceSquares.create(device, slice, parameters);
    const set = new ParameterSet(device, slice, parameters, { groups, deviceSquares });
    if (device.dry !== undefined) return set;
    for (const parameter of parameters) device.write(set.values[parameter.name], initialValues(parameter, seed));
    return set;
  }

  /** Lengths of the flat arenas, in elements. */
  get lengths(): readonly number[] {
    return this.groups.map((group) => group.values.flat.shape[0]);
  }

  /** Takes the memory of all gradients that will ever be alive at once. Throws `OutOfSliceMemory`. */
  reserveGradients(count: number): void {
    const taken = alike(this.device, count, () => {
      const arenas = this.groups.map((group) => this.slice.arena('gradients', shapesOf(group.parameters)));
      return { arenas, views: viewsOf(arenas) };
    });
    this.reserved += count;
    this.spare.push(...taken);
  }

  /** Memory for one gradient, of those that were reserved. Its content is unspecified. Throws `GradientsExhausted`. */
  takeGradient(): Gradient {
    const spare = this.spare.pop();
    if (spare === undefined) throw new GradientsExhausted(this.slice.owner, this.reserved);
    return spare;
  }

  giveGradient(gradient: Gradient): void {
    this.spare.push(gradient);
  }

  /** into += from. */
  async add(into: Gradient, from: Gradient): Promise<void> {
    for (const [i, group] of this.groups.entries()) {
      await group.accumulate.run({ sum: into.arenas[i].flat, addend: from.arenas[i].flat });
    }
  }

  /** Sum of squares of each tensor of a gradient, by parameter name. */
  async squares(gradient: Gradient): Promise<Record<string, number>> {
    if (this.deviceSquares !== null) return await this.deviceSquares.of(gradient.views);
    const values = await this.readParameters(gradient.views);
    return Object.fromEntries(values.map(([name, data]) => [name, sumOfSquares(floats('squares', data))]));
  }

  /** One AdamW update by a reduced gradient (Loshchilov & Hutter 2019), clipped as decided. */
  async update(gradient: Gradient, { lr, clip, updateStep }: Decision, optimizer: OptimizerSection): Promise<void> {
    const [beta1, beta2] = optimizer.betas;
    const { eps, weight_decay: decay } = optimizer;
    const correction1 = 1 - beta1 ** updateStep;
    const correction2 = 1 - beta2 ** updateStep;
    this.device.write(this.hyper, Float32Array.of(lr, beta1, beta2, eps, decay, correction1, correction2, clip));
    for (const [i, group] of this.groups.entries()) {
      await group.adamw.run({
        parameters: group.values.flat,
        moment1: group.moment1.flat,
        moment2: group.moment2.flat,
        gradient: gradient.arenas[i].flat,
        hyper: this.hyper,
      });
    }
  }

  /** The named parameters, and their moments under `<name>.exp_avg` and `<name>.exp_avg_sq`, as the device reads them. */
  async save(names: readonly string[]): Promise<Record<string, TensorPayload>> {
    const stored = this.stored();
    const saved = names.flatMap(storedNames).flatMap((name) => {
      const tensor = stored[name];
      return tensor === undefined ? [] : [this.saved(name, tensor)];
    });
    return Object.fromEntries(await Promise.all(saved));
  }

  /** Takes over what `save` gave. Throws `MissingTensor` when a tensor is not this set's or has another shape. */
  restore(tensors: Readonly<Record<string, TensorPayload>>): void {
    const stored = this.stored();
    for (const [name, saved] of Object.entries(tensors)) {
      const tensor = stored[name];
      if (saved.shape.join() !== tensor?.shape.join()) throw new MissingTensor(name, tensor?.shape ?? []);
      this.device.write(tensor, dataOf(saved));
    }
  }

  /** SHA-256 of each parameter's bytes. */
  async digest(): Promise<Record<string, string>> {
    const values = await this.readParameters(this.values);
    return Object.fromEntries(values.map(([name, data]) => [name, createHash('sha256').update(data).digest('hex')]));
  }

  /** What the tensors hold that are named as the parameters, in their order. */
  private readParameters(tensors: Bindings): Promise<(readonly [name: string, data: Data])[]> {
    return Promise.all(this.parameters.map(async ({ name }) => [name, await this.device.read(tensors[name])] as const));
  }

  private async saved(name: string, tensor: Tensor): Promise<readonly [name: string, values: TensorPayload]> {
    return [name, payload(await this.device.read(tensor), tensor.shape)];
  }

  private stored(): Record<string, Tensor | undefined> {
    return Object.fromEntries(
      this.groups.flatMap(({ parameters, values, moment1, moment2 }) =>
        parameters.flatMap(({ name }) => {
          const tensors = [values.views[name], moment1.views[name], moment2.views[name]];
          return storedNames(name).map((stored, i) => [stored, tensors[i]]);
        }),
      ),
    );
  }
}

/** The names under which a parameter and its moments are stored. */
export const storedNames = (name: string): string[] => [name, `${name}.exp_avg`, `${name}.exp_avg_sq`];

/** A role uses one parameter in two places: the gradient of one would be written over that of the other. */
export class ParameterUsedTwice extends Error {
  readonly tag = 'ParameterUsedTwice';
  readonly exitCode = 1;
  constructor(owner: string, name: string) {
    super(
      `${owner}: two of its parameters are named ${name}, and gradients of shared parameters are not summed yet; give each use a name of its own`,
    );
    this.name = 'ParameterUsedTwice';
  }
}

/** More gradients are alive than were reserved: a plan and its run would part. A fault of this program, not of its user. */
export class GradientsExhausted extends Error {
  readonly tag = 'GradientsExhausted';
  constructor(owner: string, reserved: number) {
    super(
      `${owner}: all ${reserved} gradients that were reserved are in use, and a run takes no more; please report this with the topology file`,
    );
    this.name = 'GradientsExhausted';
  }
}

/** A checkpoint lacks a tensor that the model has: it is another model's. */
export class MissingTensor extends Error {
  readonly tag = 'MissingTensor';
  readonly exitCode = 1;
  constructor(name: string, shape: readonly number[]) {
    super(
      `checkpoint: no tensor ${name} of shape [${shape.join(', ')}]; it belongs to another model, check model and moe`,
    );
    this.name = 'MissingTensor';
  }
}

const shapesOf = (parameters: readonly Parameter[]): Record<string, readonly number[]> =>
  Object.fromEntries(parameters.map(({ name, shape }) => [name, shape]));

const viewsOf = (arenas: readonly FlatArena[]): Bindings =>
  Object.assign({}, ...arenas.map((arena) => arena.views)) as Bindings;
