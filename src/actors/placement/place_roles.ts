/** Placement says which worker hosts each role of a run: a pure function of run spec and workers, wherever it is computed. */
import { place, type Placement, type Worker } from '../../topology/index.ts';
import { castOf, flopsByRole } from './cast.ts';
import type { RunSpec } from './run_spec.ts';

export function placeRoles(runSpec: RunSpec, workers: readonly Worker[]): Placement {
  return place(runSpec.mesh, flopsByRole(castOf(runSpec)), workers);
}
