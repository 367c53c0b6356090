/** Which worker hosts which role of a run: a pure function of blueprint and workers, wherever it is computed. */
import { flopsByRole, place, type Placement, type Worker } from '../topology/index.ts';
import type { Blueprint } from './blueprint.ts';

export function placeRoles({ topology, mesh, sizes }: Blueprint, workers: readonly Worker[]): Placement {
  const { global_batch_size, sequence_length } = topology.training;
  return place(mesh, flopsByRole(mesh, sizes, global_batch_size * sequence_length), workers);
}
