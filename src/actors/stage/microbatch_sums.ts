/**
 * The sums of a microbatch are read from the last stage's device once its way forward is through: losses and whatever the
 * objective reports, over all elements and by corpus, and the bytes of the text that was predicted.
 */
import type { Device, Tensor } from '../../kernels/device.ts';
import { floats } from '../../kernels/dtype.ts';
import type { ModelObjective } from '../../models/model.ts';
import type { Sum } from '../protocol/report.ts';
import type { Microbatch } from './batch_port.ts';

/** Name of the sum that training is about; a step's loss is Σ sums / Σ weights. */
export const lossName = 'loss';
/** Name of the sum of bytes; its weight is none. */
export const bytesName = 'bytes';
/** In training, what the gradient was divided by, and a microbatch's own share of it. */
export const denominatorName = 'denominator';

export interface Summed {
  readonly sums: readonly Sum[];
  /** The losses one by one, as they were read. */
  readonly losses_N: Float32Array;
}

/** In nats for next-token losses; every sum in the order of its elements. */
export async function sumsOf(
  device: Device,
  tensors: Readonly<Record<string, Tensor>>,
  { losses, reports }: ModelObjective,
  weights: ReadonlyMap<string, ArrayLike<number>>,
  { microbatch, batch }: { readonly microbatch: number; readonly batch: Microbatch },
): Promise<Summed> {
  const streams = [[lossName, losses] as const, ...Object.entries(reports)];
  const read = await Promise.all(streams.map(([, stream]) => device.read(tensors[stream])));
  const { corpora, bytes_R } = batch;
  const sums: Sum[] = [];
  for (const [i, [name, stream]] of streams.entries()) {
    const values_N = floats(name, read[i]);
    const weights_N = weights.get(stream)!;
    sums.push({ name, corpus: '', microbatch, ...sumOver(values_N, weights_N, null) });
    for (const [number, corpus] of (corpora?.names ?? []).entries()) {
      const isOf = isOfCorpus(corpora!.of_R, number, values_N.length);
      sums.push({ name, corpus, microbatch, ...sumOver(values_N, weights_N, isOf) });
    }
  }
  const weights_R = weights.get(losses)!;
  if (bytes_R?.length === weights_R.length) {
    const ofTargets = Float64Array.from(bytes_R, (bytes, row) => (weights_R[row] > 0 ? bytes : 0));
    sums.push({ name: bytesName, corpus: '', microbatch, ...sumOver(ofTargets, [], null) });
    for (const [number, corpus] of (corpora?.names ?? []).entries()) {
      const isOf = isOfCorpus(corpora!.of_R, number, ofTargets.length);
      sums.push({ name: bytesName, corpus, microbatch, ...sumOver(ofTargets, [], isOf) });
    }
  }
  return { sums, losses_N: floats(lossName, read[0]).slice() };
}

/** Elements that are no rows belong to the rows of their sequence, as many to each. */
const isOfCorpus =
  (of_R: Uint8Array, corpus: number, elements: number) =>
  (i: number): boolean =>
    of_R[Math.floor((i * of_R.length) / elements)] === corpus;

function sumOver(
  values: ArrayLike<number>,
  weights: ArrayLike<number>,
  isIn: ((i: number) => boolean) | null,
): { sum: number; weight: number } {
  let sum = 0;
  let weight = 0;
  for (let i = 0; i < values.length; i++) {
    if (isIn !== null && !isIn(i)) continue;
    sum += values[i];
    weight += weights[i] ?? 0;
  }
  return { sum, weight };
}
