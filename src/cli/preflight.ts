/** What `troupe launch` sees to before it takes a run directory, packs texts or starts a process: all that is cheap. */
import type { Plan } from '../run/plan.ts';
import { tokenizerOf } from '../run/corpus_specs.ts';
import { vocabularyOf } from '../run/vocabulary.ts';
import type { Topology } from '../topology/index.ts';
import { DoesNotFit } from './does_not_fit.ts';
import { idleWorkers } from './idle_workers.ts';
import { verdict } from './plan_verdict.ts';

/**
 * The plan of a run with its tokenizer's vocabulary. With a `sublayersDigest` the module of sublayers is run only when it
 * has that one. Throws `BadTokenizer`, `BadSublayers`.
 */
export async function planOf(topology: Topology, baseDir: string, sublayersDigest?: string | null): Promise<Plan> {
  const tokenizer = tokenizerOf(topology, baseDir);
  const vocabulary = vocabularyOf(topology, tokenizer);
  const [{ runSpecOf }, { planRun }] = await Promise.all([
    import('../actors/placement/run_spec.ts'),
    import('../run/plan.ts'),
  ]);
  const known = sublayersDigest === undefined ? {} : { sublayersDigest };
  return await planRun(await runSpecOf({ topology, baseDir, vocabulary, ...known }));
}

/**
 * A warning, or null. Throws `BadTokenizer`, `BadSublayers`, and `DoesNotFit` where some worker has too little memory.
 */
export async function checkFits(
  topology: Topology,
  baseDir: string,
  sublayersDigest: string | null,
): Promise<string | null> {
  const plan = await planOf(topology, baseDir, sublayersDigest);
  if (plan.workers.some(({ fits }) => !fits)) throw new DoesNotFit(verdict(plan));
  return idleWorkers(plan);
}
