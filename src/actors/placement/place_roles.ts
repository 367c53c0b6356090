/** Which worker hosts which role of a run: a pure function of run spec and workers, wherever it is computed. */
import { flopsByRole, place, type Placement, type Worker } from '../../topology/index.ts';
import type { RunSpec } from './run_spec.ts';

export function placeRoles({ topology, mesh, sizes }: RunSpec, workers: readonly Worker[]): Placement {
  const { global_batch_size, sequence_length } = topology.training;
  return place(mesh, flopsByRole(mesh, sizes, global_batch_size * sequence_length), workers);
}
