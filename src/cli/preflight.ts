/** What `troupe launch` sees to before it takes a run directory, packs texts or starts a process: all that is cheap. */
import type { Plan } from '../actors/plan.ts';
import { loadTokenizer } from '../data/index.ts';
import type { Topology } from '../topology/index.ts';
import { DoesNotFit } from './does_not_fit.ts';
import { idleWorkers } from './idle_workers.ts';
import { verdict } from './plan_verdict.ts';

/** The plan of a run with its tokenizer's vocabulary. Throws `BadTokenizer`, `BadSublayers`. */
export async function planOf(topology: Topology, baseDir: string): Promise<Plan> {
  const { vocabSize } = loadTokenizer(topology.data.tokenizer, baseDir);
  const [{ blueprintOf }, { planRun }] = await Promise.all([
    import('../actors/blueprint.ts'),
    import('../actors/plan.ts'),
  ]);
  return await planRun(await blueprintOf({ topology, baseDir, vocabulary: vocabSize }));
}

/** A warning, or null. Throws `BadTokenizer`, and `DoesNotFit` where some worker has too little memory. */
export async function checkFits(topology: Topology, baseDir: string): Promise<string | null> {
  const plan = await planOf(topology, baseDir);
  if (plan.workers.some(({ fits }) => !fits)) throw new DoesNotFit(verdict(plan));
  return idleWorkers(plan);
}
