/**
 * What a stage has to observe its part of the model: memory for one microbatch of the model with taps, and the streams that the
 * taps write. A run that trains has none of it.
 */
import type { Bindings, Device, Slice } from '../../kernels/device.ts';
import { floats } from '../../kernels/dtype.ts';
import { lastRowsOf } from '../../models/model.ts';
import { isTap } from '../../models/taps.ts';
import type { RunSpec } from '../placement/run_spec.ts';
import type { Unit } from '../protocol/pass.ts';
import type { Output } from '../protocol/report.ts';
import { outputOf } from './pass_in_hand.ts';
import { compileStage, createStageContext, type StageContext } from './stage_context.ts';
import { partTowards, stagePart } from './stage_part.ts';
import { StagePlan } from './stage_plan.ts';

export interface Observation {
  readonly context: StageContext;
  readonly taps: readonly string[];
}

/** Of a pipeline rank, up to its last rows: nobody asks for losses here. Null where the run has no taps. Throws `OutOfSliceMemory`. */
export async function observationOf(
  device: Device,
  slice: Slice,
  { observed, mesh }: Pick<RunSpec, 'observed' | 'mesh'>,
  { pipelineRank, values }: { readonly pipelineRank: number; readonly values: Bindings },
): Promise<Observation | null> {
  if (observed === null) return null;
  const whole = stagePart(observed, mesh, pipelineRank);
  const taps = whole.steps.flatMap((step) =>
    step.kind === 'run' ? Object.entries(step.writes).flatMap(([name, stream]) => (isTap(name) ? [stream] : [])) : [],
  );
  const keeps = [...taps, lastRowsOf(observed)];
  const plan = new StagePlan(partTowards(whole, keeps), { keeps, isTraining: false });
  return { context: createStageContext(slice, await compileStage(device, plan), values), taps };
}

/** What the taps have of a microbatch that is through, by stream: f32 [B, X] each. */
export async function tapsOf(device: Device, { context, taps }: Observation, unit: Unit): Promise<Output[]> {
  return await Promise.all(
    taps.map(async (stream) => {
      const tensor = context.tensors[stream];
      return outputOf(stream, unit, floats(stream, await device.read(tensor)).slice(), tensor.shape);
    }),
  );
}
