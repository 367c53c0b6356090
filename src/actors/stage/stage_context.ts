/**
 * The memory of one microbatch on its way through a stage, and its programs bound to it. Bindings are made once; a training
 * step only runs programs over them.
 */
import { accumulate } from '../../kernels/ops/accumulate.ts';
import type { Bindings, Device, Executable, Slice, Tensor } from '../../kernels/device.ts';
import { f32, state, trace } from '../../kernels/trace.ts';
import type { RunStep } from '../../models/model.ts';
import { tensorFor, weightBindings } from './bindings.ts';
import { differentiate, type Differentiated } from './differentiated.ts';
import { gradientKey, type StagePlan } from './stage_plan.ts';
import { livesOf, readsBy, residualKey, sharedMemory, type TensorLife } from './tensor_lives.ts';

/** The programs of a stage, compiled; all microbatches share them. */
export interface StagePrograms {
  readonly plan: StagePlan;
  /** By the number of the step. */
  readonly steps: ReadonlyMap<number, Differentiated>;
  /** sum += addend, for gradients of a stream that has several readers, by stream. */
  readonly sums: ReadonlyMap<string, Executable>;
  /** Whose memory each tensor has, by key. */
  readonly homes: ReadonlyMap<string, TensorLife>;
}

export interface StageContext extends StagePrograms {
  /** Streams by name, gradients of them by `gradientKey`. */
  readonly tensors: Readonly<Record<string, Tensor>>;
  /** Of all that a step's programs read and write, but for gradients of weights; by the number of the step. */
  readonly bindings: ReadonlyMap<number, Bindings>;
}

export async function compileStage(device: Device, plan: StagePlan): Promise<StagePrograms> {
  const steps = new Map<number, Differentiated>();
  const sums = new Map<string, Executable>();
  const lives = livesOf(plan);
  const shapes = new Map(lives.map(({ key, type }) => [key, type.shape]));
  for (const [at, step] of plan.part.steps.entries()) {
    if (step.kind === 'run') steps.set(at, await differentiate(device, step.program, step));
  }
  for (const [stream, readers] of plan.readers) {
    const shape = shapes.get(gradientKey(stream));
    if (readers.length < 2 || shape === undefined) continue;
    const sum = trace('sum_gradients', { sum: state(shape), addend: f32(shape) }, (w) => {
      accumulate(w.sum, w.addend);
      return {};
    });
    sums.set(stream, await device.compile(sum));
  }
  return { plan, steps, sums, homes: sharedMemory(lives) };
}

/** Takes the memory of one microbatch from the slice of the stage. Throws `OutOfSliceMemory`. */
export function createStageContext(slice: Slice, programs: StagePrograms, values: Bindings): StageContext {
  const { plan, homes } = programs;
  const made = new Map<string, Tensor>();
  const tensors = Object.fromEntries(
    [...homes].map(([key, home]) => {
      const tensor = made.get(home.key) ?? tensorFor(slice, home.key, home.type);
      made.set(home.key, tensor);
      return [key, tensor];
    }),
  );
  const bindings = new Map<number, Bindings>();
  for (const [at, { vjp }] of programs.steps) {
    const step = plan.part.steps[at] as RunStep;
    const bound: Record<string, Tensor> = { ...weightBindings(step.weights, values) };
    for (const [name, stream] of [...Object.entries(step.reads), ...Object.entries(step.writes)]) {
      bound[name] = tensors[stream];
    }
    for (const { name } of vjp.residuals) bound[name] = tensors[residualKey(at, step, name)];
    if (plan.backward.length > 0) {
      for (const [name, stream] of Object.entries(step.writes)) {
        const gradient = tensors[gradientKey(stream)];
        if (gradient !== undefined && step.reports?.includes(name) !== true) bound[`d_${name}`] = gradient;
      }
      for (const { input, stream, number } of readsBy(plan, at))
        bound[`d_${input}`] = tensors[gradientKey(stream, number)];
    }
    bindings.set(at, bound);
  }
  return { ...programs, tensors, bindings };
}
