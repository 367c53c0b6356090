/** Makes a program ready for a WebGPU device: plans its passes, takes the fastest of their forms, compiles their shaders. */
import { dumpOf } from '../dump.ts';
import type { GroupProgram } from '../group_program.ts';
import { show, type Program } from '../program.ts';
import type { Dim } from '../shape.ts';
import type { Buffers } from './buffers.ts';
import { LimitExceeded } from './errors.ts';
import { GpuGroup, OWNER_BYTES } from './group.ts';
import { GroupPlan } from './group_plan.ts';
import { dispatch, GpuExecutable, liveSizesBuffer, type Ground } from './executable.ts';
import type { AdapterTraits } from './lowering.ts';
import type { Pass } from './pass.ts';
import type { Pipelines } from './pipelines.ts';
import { planPasses, type PassLimits, type PlannedPasses } from './plan.ts';
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

  /** Throws `ProgramError`, `ShaderRefused`, `LimitExceeded`, `OutOfSliceMemory`. */
  async make(program: Program): Promise<GpuExecutable> {
    const { traits, buffers, pipelines, ground } = this.parts;
    const planned = planPasses(program, traits, this.limits);
    const dims = dimsOf(program);
    const names = [...dims.keys()];
    const passes = await this.chosen(program, planned.passes, dims);
    dumpPasses(
      program,
      passes.map((pass) => shaderText(pass, names)),
    );
    buffers.reserveScratch(program.name, planned.slotBytes);
    const made = await Promise.all(passes.map((pass) => pipelines.of(program.name, pass, names)));
    return new GpuExecutable(program, { planned: { ...planned, passes }, pipelines: made, dims: names }, ground);
  }

  /** Throws the same. */
  async makeGroup(group: GroupProgram): Promise<GpuGroup> {
    const { buffers, pipelines, ground } = this.parts;
    const { program, size, dim } = group;
    const { maxUniformBufferBindingSize: most } = ground.device.limits;
    const limit = 'maxUniformBufferBindingSize';
    if (size.count * OWNER_BYTES > most)
      throw new LimitExceeded(buffers.adapter, limit, `rows of ${size.count} owners`, size.count * OWNER_BYTES, most);
    const all = this.planGroup(group, true);
    // All owners at once take more memory than one after another.
    const { plan, planned } = buffers.hasScratch(all.planned.slotBytes) ? all : this.planGroup(group, false);
    const passes = await this.chosen(program, planned.passes, dimsOf(program));
    const shaders = passes.map((pass) => ({ count: size.count, origins: plan.origins(pass, planned) }));
    dumpPasses(
      { ...program, name: `${program.name}.group_${size.count}` },
      passes.map((pass, i) => shaderText(pass, [dim.name], shaders[i])),
    );
    buffers.reserveScratch(program.name, planned.slotBytes);
    const made = await Promise.all(passes.map((pass, i) => pipelines.of(program.name, pass, [dim.name], shaders[i])));
    return new GpuGroup(plan, { planned: { ...planned, passes }, pipelines: made, shaders }, ground);
  }

  // Element-wise ops refuse nothing, so that a chain has them all.
  private get limits(): PassLimits {
    return { buffers: this.parts.ground.device.limits.maxStorageBuffersPerShaderStage };
  }

  private planGroup(group: GroupProgram, isAtOnce: boolean): { plan: GroupPlan; planned: PlannedPasses } {
    const plan = new GroupPlan(group, isAtOnce);
    const planned = planPasses(group.program, this.parts.traits, this.limits, (value) => plan.scratchBytes(value));
    return { plan, planned };
  }

  /** The fastest forms of the passes, tried on buffers of their own; the first ones where nothing is timed. */
  private async chosen(program: Program, passes: readonly Pass[], dims: ReadonlyMap<string, number>): Promise<Pass[]> {
    const { tuning, pipelines, ground } = this.parts;
    if (tuning === null || passes.every(({ choice }) => choice === undefined)) {
      return passes.map((pass) => pass.choice?.forms[0].pass ?? pass);
    }
    const { device } = ground;
    const sizes = liveSizesBuffer(device, program.name, [...dims.values()]);
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

function dumpPasses(program: Program, shaders: readonly string[]): void {
  const dump = dumpOf(program);
  dump('.txt', show(program));
  dump('.wgsl', shaders.join('\n'));
}

/** The program's dynamic dimensions and their maxima, in the order in which they first appear. */
export function dimsOf({ inputs, nodes }: Program): ReadonlyMap<string, number> {
  const values = [...inputs.map((b) => b.value), ...nodes.flatMap((node) => node.outputs)];
  const dims = values.flatMap(({ type }) => type.shape.filter((dim) => typeof dim !== 'number'));
  return new Map(dims.map(({ name, max }) => [name, max] as const));
}
