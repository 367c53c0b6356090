/**
 * Segments are the samples that lie one behind the other in a sequence. A block that mixes tokens reads `begins_R`, for each row the
 * place in its sequence where its sample begins, and mixes no row with one before that place. Rows before it are another sample's.
 * Shape suffixes: see `model.ts`.
 */
import type { Program } from '../kernels/program.ts';
import { i32, type InputSpec } from '../kernels/trace.ts';

import { batchStreams, layersOf, type Model, type Step } from './model.ts';
import type { TraceSettings } from './trace_settings.ts';

/** What a program calls the begins that it reads of the batch. */
export const BEGINS = 'begins_R';

const refusal =
  'does not read begins_R, so that samples of a sequence would see each other; let it, or do not pack samples';

/** What a block with a mixer reads beside rows: begins_R where there are segments, else nothing. */
export const segmentReads = ({ segments, batch, sequence }: TraceSettings): Readonly<Record<string, InputSpec>> =>
  segments ? { [BEGINS]: i32([batch * sequence]) } : {};

/** Throws `TypeError` where a block is given begins and what it computes does not depend on them. */
export function checkReadsBegins({ name, inputs, nodes }: Program): void {
  const begins = inputs.find((input) => input.name === BEGINS);
  if (begins === undefined || nodes.some((node) => node.inputs.includes(begins.value))) return;
  throw new TypeError(`${name} ${refusal}`);
}

/** Throws `TypeError` where a layer of a model with segments has no block that reads begins. */
export function checkSegments(model: Model, { segments }: TraceSettings): void {
  if (!segments) return;
  const readsBegins = (step: Step): boolean =>
    step.kind === 'run' && Object.values(step.reads).some((stream) => stream === batchStreams.begins);
  const deaf = layersOf(model).find(({ index, steps }) => index !== null && !steps.some(readsBegins));
  if (deaf !== undefined) throw new TypeError(`${deaf.name} ${refusal}`);
}
