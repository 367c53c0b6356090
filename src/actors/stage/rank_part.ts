/** A rank part is a stage rank with what it has of the model: its actors, and those of its mixtures, are made from it. */
import { balancesSteps } from '../../models/config.ts';
import { mixturesOf, type Mixture, type Model } from '../../models/model.ts';
import type { StageRank } from '../../topology/index.ts';
import type { RunSpec } from '../placement/run_spec.ts';
import { windowOf } from './schedule.ts';
import { stagePart, type StagePart } from './stage_part.ts';

export interface RankPart {
  readonly rank: StageRank;
  readonly part: StagePart;
  /** Most microbatches that are under way in it at once. */
  readonly window: number;
}

/** Every stage rank with its part of the model; replicas have the same. */
export function ranksOf({ topology, mesh, model }: RunSpec): RankPart[] {
  const { pipeline_parallel, micro_batches } = topology.parallelism;
  const parts = Array.from({ length: pipeline_parallel }, (_, rank) => stagePart(model, mesh, rank));
  return mesh.stages.map((rank) => {
    const part = parts[rank.pipelineRank];
    const window = someBalancesSteps(model)
      ? micro_batches
      : windowOf(rank.pipelineRank, pipeline_parallel, micro_batches, part.mixtures.length > 0);
    return { rank, part, window };
  });
}

/** All microbatches go forward first then. */
const someBalancesSteps = (model: Model): boolean => mixturesOf(model).some(({ moe }) => balancesSteps(moe));

/** A mixture of the model, and how many microbatches of one data-parallel rank may be with its experts at once. */
export interface PlacedMixture {
  readonly mixture: Mixture;
  readonly window: number;
}

/** The mixtures of all ranks by name. */
export const mixturesByName = (runSpec: RunSpec): Map<string, PlacedMixture> =>
  new Map(
    ranksOf(runSpec).flatMap(({ part, window }) =>
      part.mixtures.map((mixture) => [mixture.name, { mixture, window }] as const),
    ),
  );
