/**
 * A parameter set holds all parameters of one actor, in buckets of its slice, and does what goes over them at once: squares,
 * updates, checkpoints. Stages, routers and experts all keep their state this way.
 */
import { createHash } from 'node:crypto';
import { release, type Data } from '../../kernels/dtype.ts';
import type { Bindings, Device, FlatArena, Slice, Tensor } from '../../kernels/device.ts';
import { elements } from '../../kernels/shape.ts';
import { initialValues } from '../../models/parameter.ts';
import type { TensorPayload } from '../../runtime/index.ts';
import type { OptimizerSection } from '../../topology/index.ts';
import type { AppliedDecision, StatePart } from '../protocol/parameters.ts';
import { dataOf, payload } from '../protocol/pass.ts';
import { Bucket } from './bucket.ts';
import { bucketsOf } from './bucket_plan.ts';
import { DeviceSquares } from './device_squares.ts';
import type { Fresh } from './fresh.ts';
import type { Holding } from './holding.ts';
import { SharedSquares } from './shared_squares.ts';
import type { UpdateRule } from './update_rule.ts';

/** A gradient of everything that learns, by bucket; null where it is zero, since no microbatch had any. */
export type Gradient = ReadonlyMap<Bucket, FlatArena | null>;

export interface SetOptions {
  readonly optimizer: OptimizerSection;
  readonly seed: number;
  /** What begins with initial values; default: all. The others are 0 until they are restored. */
  readonly fresh?: Fresh;
}

/** Elements that are set to 0 at once. */
const zeroElements = 2 ** 18;

interface Parts {
  readonly holdings: readonly Holding[];
  readonly buckets: readonly Bucket[];
  readonly optimizer: OptimizerSection;
  /** The numbers of an update, by rule. */
  readonly hypers: ReadonlyMap<UpdateRule, Tensor>;
  readonly sumsOfSquares: DeviceSquares | SharedSquares;
}

export class ParameterSet {
  /** In the order in which backward finishes them. */
  readonly buckets: readonly Bucket[];
  /** Those that learn, in the same order. */
  readonly learning: readonly Bucket[];
  /** Parameter values by parameter name. */
  readonly values: Bindings;
  private readonly device: Device;
  private readonly parts: Parts;
  private readonly bucketOf: ReadonlyMap<string, Bucket>;
  /** The parameters of which rules keep something; of all others that is 0 still, in pages that nothing has touched. */
  private readonly kept = new Set<string>();

  private constructor(device: Device, parts: Parts) {
    this.device = device;
    this.parts = parts;
    this.buckets = parts.buckets;
    this.learning = parts.buckets.filter(({ plan }) => plan.rule !== null);
    this.values = Object.assign({}, ...parts.buckets.map(({ values }) => values.views)) as Bindings;
    this.bucketOf = new Map(
      parts.buckets.flatMap((bucket) => bucket.plan.parameters.map(({ name }) => [name, bucket])),
    );
  }

  /** Takes the memory from `slice` and fills in initial values. Throws `OutOfSliceMemory`. */
  static async create(
    device: Device,
    slice: Slice,
    holdings: readonly Holding[],
    { optimizer, seed, fresh = null }: SetOptions,
  ): Promise<ParameterSet> {
    const buckets: Bucket[] = [];
    for (const plan of bucketsOf(holdings, optimizer)) buckets.push(await Bucket.create(device, slice, plan));
    const learning = holdings.filter(({ learns }) => learns).map(({ parameter }) => parameter);
    const Squares = device.sharesMemory ? SharedSquares : DeviceSquares;
    const sumsOfSquares = await Squares.create(device, slice, learning);
    const rules = new Set(buckets.flatMap(({ plan: { rule } }) => (rule === null ? [] : [rule])));
    const hypers = new Map(
      [...rules].map((rule) => [rule, slice.tensor('optimizer settings', 'f32', [rule.hyperLength])]),
    );
    const set = new ParameterSet(device, { holdings, buckets, optimizer, hypers, sumsOfSquares });
    if (device.dry !== undefined) return set;
    for (const { parameter } of holdings) {
      if (fresh?.has(parameter.name) === false) continue;
      const values = initialValues(parameter, seed);
      device.write(set.values[parameter.name], values);
      release(values);
    }
    return set;
  }

  /** Names of the parameters that the actor at `address` reports, as the first of their sharers. */
  reportedBy(address: string): string[] {
    return this.parts.holdings.filter(({ sharers }) => sharers[0] === address).map(({ parameter }) => parameter.name);
  }

  /** Takes the memory of the gradients that are alive at once, `count` of each use. Throws `OutOfSliceMemory`. */
  reserveGradients(count: number): void {
    for (const bucket of this.learning) bucket.reserveGradients(count * bucket.plan.uses.own.length);
  }

  /** Sums of squares of the tensors of a gradient, by parameter name; of those of `names` that learn. What is no gradient has 0. */
  async squares(gradient: Gradient, names: readonly string[]): Promise<Record<string, number>> {
    const learning = names.filter((name) => gradient.has(this.bucketOf.get(name)!));
    const squares: Record<string, number> = {};
    const tensors: Record<string, Tensor> = {};
    for (const name of learning) {
      const bucket = this.bucketOf.get(name)!;
      const arena = bucket.plan.rule?.isOfLoss === false ? null : gradient.get(bucket);
      if (arena) tensors[name] = arena.views[name];
      else squares[name] = 0;
    }
    return Object.assign(squares, await this.parts.sumsOfSquares.of(tensors));
  }

  /** One update by a reduced gradient, as decided, each parameter by its rule. */
  async update(gradient: Gradient, decision: AppliedDecision): Promise<void> {
    const { hypers, optimizer } = this.parts;
    for (const [rule, hyper] of hypers) this.device.write(hyper, rule.hyper(decision, optimizer));
    for (const bucket of this.learning) {
      const { rule } = bucket.plan;
      const arena = gradient.get(bucket);
      if (rule === null || arena === undefined) continue;
      for (const { name } of bucket.plan.parameters) this.kept.add(name);
      await bucket.update(arena, hypers.get(rule)!);
    }
  }

  /** The named parameters, and what their rules keep of them as `<name>.<state>`, as the device reads them. */
  async save(names: readonly string[]): Promise<Record<string, TensorPayload>> {
    const stored = names.flatMap((name) => Object.entries(this.bucketOf.get(name)?.storedOf(name) ?? {}));
    const read = await this.readAll(stored);
    return Object.fromEntries(read.map(([name, data], i) => [name, payload(data, stored[i][1].shape)]));
  }

  /**
   * Takes over parts of what `save` gave, in order. What a rule keeps of a parameter may be left out: it is 0 from the parameter's first
   * element on, as before the first update. Throws `MissingTensor` when a tensor is not this set's or has another shape.
   */
  restore(parts: readonly StatePart[]): void {
    for (const { name, shape, at, values } of parts) {
      const [parameter, tensor] = this.stored(name);
      if (tensor === undefined || shape.join() !== tensor.shape.join()) {
        throw new MissingTensor(name, tensor?.shape ?? []);
      }
      if (name !== parameter) this.kept.add(parameter);
      else if (at === 0) this.forget(parameter);
      this.device.write(tensor, dataOf(values), at);
    }
  }

  /** SHA-256 of each named parameter's bytes. */
  async digest(names: readonly string[]): Promise<Record<string, string>> {
    const values = await this.readAll(names.map((name) => [name, this.values[name]] as const));
    return Object.fromEntries(values.map(([name, data]) => [name, createHash('sha256').update(data).digest('hex')]));
  }

  /** What has a name in checkpoints, and the parameter that it is, or is kept of. */
  private stored(name: string): [parameter: string, tensor: Tensor | undefined] {
    // What a rule keeps of a parameter has its name, and one more word.
    const parameter = this.bucketOf.has(name) ? name : name.slice(0, Math.max(0, name.lastIndexOf('.')));
    return [parameter, this.bucketOf.get(parameter)?.storedOf(parameter)[name]];
  }

  /** Sets what its rule keeps of a parameter to 0, where it is not. */
  private forget(parameter: string): void {
    if (!this.kept.delete(parameter)) return;
    const { [parameter]: _, ...states } = this.bucketOf.get(parameter)!.storedOf(parameter);
    const zeros = new Float32Array(zeroElements);
    for (const tensor of Object.values(states)) {
      const count = elements(tensor.shape);
      for (let at = 0; at < count; at += zeroElements) this.device.write(tensor, zeros.subarray(0, count - at), at);
    }
  }

  private readAll(
    tensors: readonly (readonly [name: string, tensor: Tensor])[],
  ): Promise<(readonly [name: string, data: Data])[]> {
    return Promise.all(tensors.map(async ([name, tensor]) => [name, await this.device.read(tensor)] as const));
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
