/**
 * A bucket holds some parameters of an actor in memory: their values, what their rule keeps of them, and the gradients that are
 * alive at once, each a flat arena of the actor's slice, with the programs over these.
 */
import type { Bindings, Device, Executable, FlatArena, Slice, Tensor } from '../../kernels/device.ts';
import { alike } from '../placement/alike.ts';
import { shapesOf, type BucketPlan } from './bucket_plan.ts';
import { accumulateProgram } from './optimizer_programs.ts';

/** A program, and what of each arena it runs over: the view of a parameter, or all of it. */
interface Update {
  readonly executable: Executable;
  readonly part: (arena: FlatArena) => Tensor;
}

interface Memory {
  readonly values: FlatArena;
  /** By the rule's names of them. */
  readonly states: Readonly<Record<string, FlatArena>>;
  readonly updates: readonly Update[];
  /** Null where nothing learns. */
  readonly accumulate: Executable | null;
}

export class Bucket {
  readonly plan: BucketPlan;
  readonly values: FlatArena;
  private readonly device: Device;
  private readonly slice: Slice;
  private readonly memory: Memory;
  private readonly spare: FlatArena[] = [];
  private reserved = 0;

  private constructor(device: Device, slice: Slice, plan: BucketPlan, memory: Memory) {
    this.device = device;
    this.slice = slice;
    this.plan = plan;
    this.values = memory.values;
    this.memory = memory;
  }

  /** Takes the memory from `slice`; values are 0 until they are written. Throws `OutOfSliceMemory`. */
  static async create(device: Device, slice: Slice, plan: BucketPlan): Promise<Bucket> {
    const { rule, decays, parameters } = plan;
    const shapes = shapesOf(parameters);
    const values = slice.arena('parameters', shapes);
    if (rule === null) return new Bucket(device, slice, plan, { values, states: {}, updates: [], accumulate: null });
    const states = Object.fromEntries(rule.states.map((state) => [state, slice.arena('moments', shapes)]));
    const accumulate = await device.compile(accumulateProgram(values.flat.shape[0]));
    const parts: Update['part'][] = rule.covers === 'arena' ? [({ flat }) => flat] : parameters.map(viewOf);
    const updates: Update[] = [];
    for (const part of parts) {
      updates.push({ executable: await device.compile(rule.program(part(values).shape, decays)), part });
    }
    return new Bucket(device, slice, plan, { values, states, updates, accumulate });
  }

  /** Elements of its arenas. */
  get length(): number {
    return this.values.flat.shape[0];
  }

  /** Takes the memory of all gradients that will ever be alive at once. Throws `OutOfSliceMemory`. */
  reserveGradients(count: number): void {
    const shapes = shapesOf(this.plan.parameters);
    this.spare.push(...alike(this.device, count, () => this.slice.arena('gradients', shapes)));
    this.reserved += count;
  }

  /** Memory for one gradient, of those that were reserved. Its content is unspecified. Throws `GradientsExhausted`. */
  takeGradient(): FlatArena {
    const spare = this.spare.pop();
    if (spare === undefined) throw new GradientsExhausted(this.slice.owner, this.plan.name, this.reserved);
    return spare;
  }

  giveGradient(gradient: FlatArena): void {
    this.spare.push(gradient);
  }

  /** into += from. */
  async add(into: FlatArena, from: FlatArena): Promise<void> {
    await this.memory.accumulate?.run({ sum: into.flat, addend: from.flat });
  }

  /** One update by a reduced gradient, null if that is zero; `hyper` holds the rule's numbers of the decision. */
  async update(gradient: FlatArena | null, hyper: Tensor): Promise<void> {
    if (gradient === null) return await this.updateByNone(hyper);
    for (const { executable, part } of this.memory.updates) {
      await executable.run({ ...this.updated(part), gradient: part(gradient), hyper });
    }
  }

  private async updateByNone(hyper: Tensor): Promise<void> {
    const { rule, decays } = this.plan;
    const { device } = this;
    if (rule?.programOfNone === undefined) {
      const zeros = this.takeGradient();
      device.write(zeros.flat, new Float32Array(this.length));
      await this.update(zeros, hyper);
      this.giveGradient(zeros);
      return;
    }
    for (const { part } of this.memory.updates) {
      const program = rule.programOfNone(part(this.values).shape, decays);
      await (await device.compile(program)).run({ ...this.updated(part), hyper });
    }
  }

  /** What an update changes. */
  private updated(part: Update['part']): Bindings {
    const states = Object.entries(this.memory.states).map(([state, arena]) => [state, part(arena)] as const);
    return { parameters: part(this.values), ...Object.fromEntries(states) };
  }

  /** What a checkpoint holds of one of its parameters, by the names there. */
  storedOf(name: string): Record<string, Tensor> {
    const states = Object.entries(this.memory.states).map(([state, { views }]) => [`${name}.${state}`, views[name]]);
    return { [name]: this.values.views[name], ...(Object.fromEntries(states) as Record<string, Tensor>) };
  }
}

const viewOf =
  ({ name }: { readonly name: string }) =>
  ({ views }: FlatArena): Tensor =>
    views[name];

/** More gradients are alive than were reserved: a plan and its run would part. A fault of this program, not of its user. */
export class GradientsExhausted extends Error {
  readonly tag = 'GradientsExhausted';
  constructor(owner: string, of: string, reserved: number) {
    super(
      `${owner}: all ${reserved} gradients of ${of} that were reserved are in use, and a run takes no more; please report this with the topology file`,
    );
    this.name = 'GradientsExhausted';
  }
}
