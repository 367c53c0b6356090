/** Which worker hosts which role of a topology: a pure function of mesh and workers, wherever it is computed. */
import {
  flopsByRole,
  modelSizesOf,
  place,
  type Mesh,
  type Placement,
  type Topology,
  type Worker,
} from '../topology/index.ts';

export function placeRoles(topology: Topology, mesh: Mesh, vocabulary: number, workers: readonly Worker[]): Placement {
  const { global_batch_size, sequence_length } = topology.training;
  const sizes = modelSizesOf(topology, vocabulary);
  const flops = flopsByRole(mesh, sizes, global_batch_size * sequence_length, sequence_length);
  return place(mesh, flops, workers);
}
