/**
 * The sums of a microbatch are read from the last stage's device once its way forward is through: losses and whatever the
 * objective reports, over all elements and by corpus, and the bytes of the text that was predicted.
 */
import type { Device, Tensor } from '../../kernels/device.ts';
import { floats } from '../../kernels/dtype.ts';
import type { ModelObjective } from '../../models/model.ts';
import type { Sum } from '../protocol/report.ts';
import type { Microbatch, RowCorpora } from './batch_port.ts';

/** Name of the sum that training is about; a step's loss is Σ sums / Σ weights. */
export const lossName = 'loss';
/** Name of the sum of bytes; its weight is none. */
export const bytesName = 'bytes';
/** In training, what the gradient was divided by, and a microbatch's own share of it. */
export const denominatorName = 'denominator';

export interface Summed {
  readonly sums: readonly Sum[];
  /** The losses one by one, as they were read: they are the device's until something else runs. */
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
  const sums = streams.flatMap(([name, stream], i) => {
    const elements = { values: floats(name, read[i]), weights: weights.get(stream)! };
    return [sumOver(elements), ...sumsByCorpus(elements, corpora)].map((total) => named(total, name, microbatch));
  });
  const weights_R = weights.get(losses)!;
  if (bytes_R?.length === weights_R.length) {
    const ofTargets = { values: bytes_R.map((bytes, row) => (weights_R[row] > 0 ? bytes : 0)), weights: [] };
    for (const total of [sumOver(ofTargets), ...sumsByCorpus(ofTargets, corpora)]) {
      sums.push(named(total, bytesName, microbatch));
    }
  }
  return { sums, losses_N: floats(lossName, read[0]) };
}

interface Elements {
  readonly values: ArrayLike<number>;
  /** Of each element; 0 where there is none. */
  readonly weights: ArrayLike<number>;
}

type Total = Pick<Sum, 'corpus' | 'sum' | 'weight'>;

/** With its keys in the order of the schema: so they do not travel. */
const named = ({ corpus, sum, weight }: Total, name: string, microbatch: number): Sum => ({
  name,
  corpus,
  microbatch,
  sum,
  weight,
});

function sumOver({ values, weights }: Elements): Total {
  let [sum, weight] = [0, 0];
  for (let i = 0; i < values.length; i++) {
    sum += values[i];
    weight += weights[i] ?? 0;
  }
  return { corpus: '', sum, weight };
}

/** Elements that are no rows belong to the rows of their sequence, as many to each. */
function sumsByCorpus({ values, weights }: Elements, corpora: RowCorpora | null): Total[] {
  if (corpora === null) return [];
  const { names, of_R } = corpora;
  const totals = names.map((corpus) => ({ corpus, sum: 0, weight: 0 }));
  for (let i = 0; i < values.length; i++) {
    const total = totals[of_R[Math.floor((i * of_R.length) / values.length)]];
    total.sum += values[i];
    total.weight += weights[i] ?? 0;
  }
  return totals;
}
