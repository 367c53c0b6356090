/**
 * A run spec is what every thread of a run knows without asking. It follows from the topology, the tokenizer's
 * vocabulary and the module of sublayers, if there is one, and so is the same wherever it is made.
 */
import { buildModel } from '../../models/decoder.ts';
import { modelShapeOf } from '../../models/from_topology.ts';
import { BadSublayers, firstLine, loadSublayers, sublayersFile } from '../../models/load_sublayers.ts';
import type { Model, ModelShape } from '../../models/model.ts';
import type { SequenceShape, Sublayers } from '../../models/sublayer.ts';
import { sublayerCosts, type SublayerCosts } from '../../models/sublayer_costs.ts';
import { meshOf, modelSizesOf, type Mesh, type ModelSizes, type Topology } from '../../topology/index.ts';

export interface RunSpec {
  readonly topology: Topology;
  /** What relative paths in the topology start from. */
  readonly baseDir: string;
  readonly vocabulary: number;
  readonly mesh: Mesh;
  readonly shape: ModelShape;
  readonly model: Model;
  /** The model's twin for the single sequence of generation. */
  readonly single: Model;
  readonly sizes: ModelSizes;
  /** SHA-256 of the module of sublayers; null where the architecture has its own. */
  readonly sublayersDigest: string | null;
}

/** What a run spec is made from; the digest where it is known which module it must be. */
export type RunSpecSource = Pick<RunSpec, 'topology' | 'baseDir' | 'vocabulary'> &
  Partial<Pick<RunSpec, 'sublayersDigest'>>;

/** Makes the run spec. Throws `BadSublayers`. */
export async function runSpecOf({ topology, baseDir, vocabulary, sublayersDigest }: RunSpecSource): Promise<RunSpec> {
  const { digest, ...sublayers } = await loadSublayers(topology, baseDir, sublayersDigest);
  const mesh = meshOf(topology);
  const rows = { batch: mesh.microbatchSequences, sequence: topology.training.sequence_length };
  const shape = modelShapeOf(topology, vocabulary, rows.batch * rows.sequence);
  const costs = digest === null ? {} : measured({ topology, baseDir }, shape, rows, sublayers);
  const model = buildModel(shape, rows.batch, rows.sequence, sublayers);
  return {
    topology,
    baseDir,
    vocabulary,
    mesh,
    shape,
    model,
    single: rows.batch === 1 ? model : buildModel(shape, 1, rows.sequence, sublayers),
    sizes: modelSizesOf(topology, vocabulary, costs),
    sublayersDigest: digest,
  };
}

/** The costs of somebody's sublayers, whose first use this is: what they throw becomes one line of `BadSublayers`. */
function measured(
  from: Pick<RunSpec, 'topology' | 'baseDir'>,
  shape: ModelShape,
  rows: SequenceShape,
  sublayers: Sublayers,
): SublayerCosts {
  try {
    return sublayerCosts(shape, rows, sublayers);
  } catch (error) {
    const file = sublayersFile(from.topology, from.baseDir) ?? '';
    throw new BadSublayers(file, `${firstLine(error)}; correct the module`, error);
  }
}
