/**
 * The memory of one microbatch on its way through a stage: inputs and outputs of every step, residuals for the way back,
 * and the gradients that flow there. Bindings are made once; a training step only runs programs over them.
 */
import type { Bindings, Device, Slice, Tensor } from '../../kernels/device.ts';
import { showShape } from '../../kernels/shape.ts';
import type { Type } from '../../kernels/type.ts';
import type { ProgramStep, Step } from '../../models/model.ts';
import { tensorFor, weightBindings } from './bindings.ts';
import { differentiate, type Differentiated } from './differentiated.ts';

/** A program with its tensors: inputs, outputs, residuals, and `d_` of all but weights. */
export interface ReadyProgram {
  readonly kind: ProgramStep['kind'];
  readonly step: ProgramStep;
  readonly programs: Differentiated;
  readonly bindings: Bindings;
}

/** A hand-over: h_RD goes out and moe_RD comes back; on the way back d_moe_RD goes out and d_h_RD comes. */
export interface ReadyExchange {
  readonly kind: 'exchange';
  readonly layer: number;
  readonly routed: Tensor;
  readonly dRouted: Tensor;
  readonly mixed: Tensor;
  readonly dMixed: Tensor;
}

export interface StageContext {
  readonly steps: readonly (ReadyProgram | ReadyExchange)[];
  /** x_RD of the first step and its gradient; null on the first stage, which reads tokens. */
  readonly input: { readonly rows: Tensor; readonly gradient: Tensor } | null;
  /** y_RD of the last step and its gradient; null on the last stage, which gives losses. */
  readonly output: { readonly rows: Tensor; readonly gradient: Tensor } | null;
  /** tokens_R, targets_R, losses_R and d_losses_R, where this stage has them. */
  readonly ends: Readonly<Record<string, Tensor | undefined>>;
}

/** Allocates a context in the slice of the stage. Throws `OutOfSliceMemory`. */
export async function createStageContext(
  device: Device,
  slice: Slice,
  steps: readonly Step[],
  values: Bindings,
): Promise<StageContext> {
  const pool = new Map<string, Tensor>();
  const everything = new Map<string, Tensor>();
  /** One tensor serves all steps that have one of its name and type, unless the way back reads it again (`kept`). */
  const shared = (name: string, type: Type, kept = false): Tensor => {
    const key = `${name}: ${type.dtype}${showShape(type.shape)}`;
    const tensor = kept ? tensorFor(slice, name, type) : (pool.get(key) ?? tensorFor(slice, name, type));
    if (!kept) pool.set(key, tensor);
    everything.set(name, tensor);
    return tensor;
  };
  let stream: Tensor | null = null;
  let parity = 0;
  let input: StageContext['input'] = null;
  const ready: (ReadyProgram | null)[] = [];
  for (const step of steps) {
    if (step.kind === 'exchange') {
      ready.push(null);
      continue;
    }
    const programs = await differentiate(device, step.program);
    const kept = new Set([...programs.vjp.kept, ...programs.vjp.residuals.map((r) => r.name)]);
    const bindings: Record<string, Tensor> = { ...weightBindings(step.weights, values) };
    for (const { name, role, value } of step.program.inputs) {
      if (role !== 'input') continue;
      bindings[name] = name === 'x_RD' && stream !== null ? stream : shared(name, value.type, kept.has(name));
      if (value.type.dtype === 'f32')
        bindings[`d_${name}`] = shared(name === 'x_RD' ? `d_${parity}` : `d_${name}`, value.type);
      if (name === 'x_RD' && stream === null) input = { rows: bindings.x_RD, gradient: bindings.d_x_RD };
    }
    for (const { name, value } of step.program.outputs) {
      // Each step's y_RD is the next one's x_RD; two gradients alternate along the stream.
      if (name === 'y_RD') parity = 1 - parity;
      bindings[name] = name === 'y_RD' ? tensorFor(slice, name, value.type) : shared(name, value.type, kept.has(name));
      bindings[`d_${name}`] = shared(name === 'y_RD' ? `d_${parity}` : `d_${name}`, value.type);
    }
    for (const { name, type } of programs.vjp.residuals) bindings[name] ??= tensorFor(slice, `residual ${name}`, type);
    stream = bindings.y_RD ?? stream;
    ready.push({ kind: step.kind, step, programs, bindings });
  }
  const last = ready.at(-1)!;
  return {
    steps: steps.map((step, i) => ready[i] ?? exchange(step.layer, ready[i - 1]!.bindings, ready[i + 1]!.bindings)),
    input,
    output: last.bindings.y_RD === undefined ? null : { rows: last.bindings.y_RD, gradient: last.bindings.d_y_RD },
    ends: Object.fromEntries(
      ['tokens_R', 'targets_R', 'losses_R', 'd_losses_R'].map((name) => [name, everything.get(name)]),
    ),
  };
}

function exchange(layer: number, block: Bindings, merge: Bindings): ReadyExchange {
  return {
    kind: 'exchange',
    layer,
    routed: block.h_RD,
    dRouted: block.d_h_RD,
    mixed: merge.moe_RD,
    dMixed: merge.d_moe_RD,
  };
}
