/** Makes a program ready for a WebGPU device: plans its passes, takes the fastest of their forms, compiles their shaders. */
import { dumpOf } from '../dump.ts';
import { show, type Program } from '../program.ts';
import type { Dim } from '../shape.ts';
import type { Buffers } from './buffers.ts';
import { dispatch, GpuExecutable, liveSizesBuffer, type Ground } from './executable.ts';
import type { AdapterTraits } from './lowering.ts';
import { OneByOne, type Runnable } from './one_by_one.ts';
import type { Pass } from './pass.ts';
import type { Pipelines } from './pipelines.ts';
import { planPasses } from './plan.ts';
import { shaderText } from './shader.ts';
import type { Tuning } from './tuning.ts';

export interface CompilerParts {
  readonly traits: AdapterTraits;
  readonly buffers: Buffers;
  readonly pipelines: Pipelines;
  /** Null where forms are not timed. */
  readonly tuning: Tuning | null;
  readonly ground: Ground;
}

export class Compiler {
  private readonly parts: CompilerParts;

  constructor(parts: CompilerParts) {
    this.parts = parts;
  }

  /**
   * `compiled` gives the program that another has copies of. Throws `ProgramError`, `ShaderRefused`, `LimitExceeded`,
   * `OutOfSliceMemory`.
   */
  async make(program: Program, compiled: (single: Program) => Promise<Runnable>): Promise<GpuExecutable | OneByOne> {
    const { traits, buffers, pipelines, ground } = this.parts;
    const { of: single, count } = program.copies ?? { of: program, count: 1 };
    // Element-wise ops refuse nothing, so that a chain has them all.
    const limits = { buffers: ground.device.limits.maxStorageBuffersPerShaderStage };
    const planned = planPasses(single, traits, limits);
    const dims = dimsOf(single);
    const names = [...dims.keys()];
    const passes = await this.chosen(single, planned.passes, dims);
    const dump = dumpOf(program);
    dump('.txt', show(program));
    dump('.wgsl', passes.map((pass) => shaderText(pass, names, count)).join('\n'));
    const slotBytes = planned.slotBytes.map((bytes) => bytes * count);
    const apart = program.copies === undefined ? null : new OneByOne(program, await compiled(single), names);
    // All copies at once take more memory than one after another.
    if (apart !== null && !buffers.hasScratch(slotBytes)) return apart;
    buffers.reserveScratch(program.name, slotBytes);
    const made = await Promise.all(passes.map((pass) => pipelines.of(program.name, pass, names, count)));
    const ready = { planned: { ...planned, passes }, pipelines: made, copies: count, dims: names, apart };
    return new GpuExecutable(program, ready, ground);
  }

  /** The fastest forms of the passes, tried on buffers of their own; the first ones where nothing is timed. */
  private async chosen(program: Program, passes: readonly Pass[], dims: ReadonlyMap<string, number>): Promise<Pass[]> {
    const { tuning, pipelines, ground } = this.parts;
    if (tuning === null || passes.every(({ choice }) => choice === undefined)) {
      return passes.map((pass) => pass.choice?.forms[0].pass ?? pass);
    }
    const { device } = ground;
    const sizes = liveSizesBuffer(device, program.name, [[...dims.values()]]);
    const sizeOf = (dim: Dim): number => (typeof dim === 'number' ? dim : dim.max);
    const recorder = async (pass: Pass, buffers: readonly GPUBuffer[]) => {
      const { pipeline, layout } = await pipelines.of(program.name, pass, [...dims.keys()]);
      const bound = [...buffers, ...(sizes === null ? [] : [sizes])];
      const group = device.createBindGroup({
        layout,
        entries: bound.map((buffer, binding) => ({ binding, resource: { buffer } })),
      });
      return (encoder: GPUComputePassEncoder) => dispatch(encoder, pipeline, group, pass.workgroups(sizeOf));
    };
    const chosen: Pass[] = [];
    // One by one: they are timed.
    for (const pass of passes) chosen.push(await tuning.chosen(pass, device, recorder));
    sizes?.destroy();
    return chosen;
  }
}

/** The program's dynamic dimensions and their maxima, in the order in which they first appear. */
export function dimsOf({ inputs, nodes }: Program): ReadonlyMap<string, number> {
  const values = [...inputs.map((b) => b.value), ...nodes.flatMap((node) => node.outputs)];
  const dims = values.flatMap(({ type }) => type.shape.filter((dim) => typeof dim !== 'number'));
  return new Map(dims.map(({ name, max }) => [name, max] as const));
}
