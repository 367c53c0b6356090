/**
 * All corpora of a blend, packed and opened, in one call: what a launcher does before the first step. It gives way to
 * the event loop between corpora, so that an interrupt is seen.
 */
import { setImmediate } from 'node:timers/promises';
import { Blend } from './blend.ts';
import type { CorpusSpec } from './corpus.ts';
import { packCorpus } from './pack.ts';
import type { PackOptions, PackResult } from './pack.ts';

export interface PackBlendOptions extends PackOptions {
  readonly corpora: readonly CorpusSpec[];
  readonly seed: number;
  /** Told after each corpus, in order. */
  readonly observe?: (result: PackResult) => void;
  /** Aborted: no further corpus is begun, and the call rejects with its reason. */
  readonly signal?: AbortSignal;
}

/** A blend, and for each of its corpora the folder that a node can open it from. */
export interface PackedBlend {
  readonly blend: Blend;
  readonly folders: readonly string[];
}

/** Packs what is not packed yet and opens the blend; throws the errors of this layer. */
export async function packBlend(options: PackBlendOptions): Promise<PackedBlend> {
  const results: PackResult[] = [];
  for (const spec of options.corpora) {
    await setImmediate();
    options.signal?.throwIfAborted();
    const result = packCorpus(spec, options);
    results.push(result);
    options.observe?.(result);
  }
  const blend = new Blend(
    results.map((result) => result.corpus),
    options.corpora.map((spec) => spec.weight),
    options.seed,
  );
  return { blend, folders: results.map((result) => result.folder) };
}
