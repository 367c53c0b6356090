/** Pipelines of a WebGPU device, by the text of their shaders: layers, experts and programs share what they have alike. */
import { LimitExceeded, ShaderRefused } from './errors.ts';
import type { Pass } from './pass.ts';
import { shaderText, type GroupShader } from './shader.ts';

export interface Pipeline {
  readonly pipeline: GPUComputePipeline;
  /**
   * Buffers in the order of the pass, then the live sizes if the program has any, the place of its owners if it is for a group,
   * and the refusal if it can refuse.
   */
  readonly layout: GPUBindGroupLayout;
}

export class Pipelines {
  private readonly device: GPUDevice;
  private readonly adapter: string;
  private readonly known = new Map<string, Promise<Pipeline>>();

  constructor(device: GPUDevice, adapter: string) {
    this.device = device;
    this.adapter = adapter;
  }

  /** `dims`: names of the program's dynamic dimensions. Throws `ShaderRefused` or `LimitExceeded`. */
  of(program: string, pass: Pass, dims: readonly string[], group: GroupShader | null = null): Promise<Pipeline> {
    const code = shaderText(pass, dims, group);
    const uniforms = Number(dims.length > 0) + Number(group !== null);
    const known = this.known.get(code) ?? this.make(program, pass, code, uniforms);
    this.known.set(code, known);
    return known;
  }

  private async make(program: string, pass: Pass, code: string, uniforms: number): Promise<Pipeline> {
    const { device } = this;
    const { label } = pass;
    const layout = this.layoutOf(program, pass, uniforms);
    device.pushErrorScope('validation');
    const module = device.createShaderModule({ label, code });
    const invalid = await device.popErrorScope();
    if (invalid !== null) throw new ShaderRefused(this.adapter, program, label, invalid.message);
    try {
      const pipeline = await device.createComputePipelineAsync({
        label,
        layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
        compute: { module, entryPoint: 'main' },
      });
      return { pipeline, layout };
    } catch (error) {
      throw new ShaderRefused(this.adapter, program, label, error instanceof Error ? error.message : String(error));
    }
  }

  /** By hand: one that Dawn makes itself leaves out what a shader does not read. */
  private layoutOf(program: string, { bindings, canRefuse, label }: Pass, uniforms: number): GPUBindGroupLayout {
    const limit = 'maxStorageBuffersPerShaderStage';
    const most = this.device.limits[limit];
    const asked = bindings.length + Number(canRefuse);
    if (asked > most) throw new LimitExceeded(this.adapter, limit, `${label} of ${program}`, asked, most);
    const types: GPUBufferBindingType[] = bindings.map((b) => (b.isWritten ? 'storage' : 'read-only-storage'));
    for (let i = 0; i < uniforms; i++) types.push('uniform');
    if (canRefuse) types.push('storage');
    return this.device.createBindGroupLayout({
      label,
      entries: types.map((type, binding) => ({ binding, visibility: GPUShaderStage.COMPUTE, buffer: { type } })),
    });
  }
}
