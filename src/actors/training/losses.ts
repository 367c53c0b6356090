/**
 * The losses of a pass are means of what its microbatches summed, in the order of microbatches: of all elements, and of each corpus
 * by itself. Where the loss is of text they are in bits per byte too, which compares between tokenizers.
 */
import type { Sum } from '../protocol/report.ts';
import { bytesName, denominatorName, lossName } from '../stage/microbatch_sums.ts';

export interface Losses {
  /** Mean over all elements: nats a token where tokens are predicted. NaN where there are none. */
  readonly loss: number;
  /** Σ losses in bits / Σ bytes of the text predicted; null where it is no text. */
  readonly bitsPerByte: number | null;
  /** Means of what else the objective reports, by name, and of all by `name/corpus`, where there are several. */
  readonly losses: Readonly<Record<string, number>>;
}

interface Total {
  sum: number;
  weight: number;
}

/** `sums` in any order. */
export function lossesOf(sums: readonly Sum[]): Losses {
  const totals = new Map<string, Total>();
  for (const { name, corpus, sum, weight } of [...sums].sort((a, b) => a.microbatch - b.microbatch)) {
    const key = corpus === '' ? name : `${name}/${corpus}`;
    const total = totals.get(key) ?? { sum: 0, weight: 0 };
    total.sum += sum;
    total.weight += weight;
    totals.set(key, total);
  }
  const losses: Record<string, number> = {};
  for (const [key, total] of totals) {
    const [name, ...corpus] = key.split('/');
    if (name === bytesName || name === denominatorName || key === lossName) continue;
    // A corpus of which the pass has no element.
    if (total.weight > 0) losses[key] = total.sum / total.weight;
    const bits = name === lossName ? bitsPerByte(total, totals.get([bytesName, ...corpus].join('/'))) : null;
    if (bits !== null) losses[key.replace(lossName, 'bits_per_byte')] = bits;
  }
  const all = totals.get(lossName) ?? { sum: 0, weight: 0 };
  return { loss: all.sum / all.weight, bitsPerByte: bitsPerByte(all, totals.get(bytesName)), losses };
}

function bitsPerByte({ sum }: Total, bytes: Total | undefined): number | null {
  return bytes === undefined || bytes.sum === 0 ? null : sum / Math.LN2 / bytes.sum;
}
