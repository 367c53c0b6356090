/**
 * The logical mesh: which stage ranks and expert groups a run is made of, and what each holds. It follows from the
 * config alone, never from the workers, so the numbers of a run do not depend on where its ranks live.
 */
import type { Topology } from './schema.ts';

/** One data-parallel replica of one pipeline stage. */
export interface StageRank {
  /** Role name, such as `stage-p0-d1`. */
  readonly role: string;
  readonly pipelineRank: number;
  readonly dataRank: number;
  /** Layer indices, contiguous; empty never. */
  readonly layers: readonly number[];
  /** The first stage holds the embedding, the last the final norm and the head. */
  readonly isFirst: boolean;
  readonly isLast: boolean;
}

/** What a mesh has to know of a mixture of the model. */
export interface MeshMixture {
  readonly name: string;
  readonly layer: number;
  readonly experts: number;
}

/** The experts of one mixture that are placed, and executed, together. */
export interface ExpertGroup {
  /** Role name, such as `experts-l1-g0`. */
  readonly role: string;
  /** Name of the mixture. */
  readonly mixture: string;
  readonly group: number;
  /** Expert indices, contiguous. */
  readonly experts: readonly number[];
}

export interface Mesh {
  /** Pipeline-major: `p0-d0`, `p0-d1`, `p1-d0` ... */
  readonly stages: readonly StageRank[];
  /** By mixture, then group. */
  readonly expertGroups: readonly ExpertGroup[];
  readonly moeLayers: readonly number[];
  /** Microbatches of a step over all data-parallel ranks. */
  readonly globalMicrobatches: number;
  /** Sequences of one microbatch. */
  readonly microbatchSequences: number;
}

export const stageRole = (pipelineRank: number, dataRank: number): string => `stage-p${pipelineRank}-d${dataRank}`;

export const expertGroupRole = (mixture: string, group: number): string => `experts-l${mixture}-g${group}`;

/** Microbatches of a step over all data-parallel ranks; batches and reduction order go by their number. */
export const globalMicrobatchesOf = ({ parallelism }: Pick<Topology, 'parallelism'>): number =>
  parallelism.data_parallel * parallelism.micro_batches;

/** Sequences of one microbatch. */
export const microbatchSequencesOf = (topology: Topology): number =>
  topology.training.global_batch_size / globalMicrobatchesOf(topology);

/** The mesh of a topology that passed its checks, for a model that has these mixtures. */
export function meshOf(topology: Topology, mixtures: readonly MeshMixture[]): Mesh {
  const { data_parallel: dataParallel, pipeline_parallel: pipelineParallel } = topology.parallelism;
  const stages = range(pipelineParallel).flatMap((pipelineRank) =>
    range(dataParallel).map((dataRank) => ({
      role: stageRole(pipelineRank, dataRank),
      pipelineRank,
      dataRank,
      layers: layersOfStage(topology.model.num_hidden_layers, pipelineParallel, pipelineRank),
      isFirst: pipelineRank === 0,
      isLast: pipelineRank === pipelineParallel - 1,
    })),
  );
  const expertParallel = topology.parallelism.expert_parallel;
  const expertGroups = mixtures.flatMap(({ name: mixture, experts }) =>
    range(expertParallel).map((group) => ({
      role: expertGroupRole(mixture, group),
      mixture,
      group,
      experts: expertsOfGroup(experts, expertParallel, group),
    })),
  );
  return {
    stages,
    expertGroups,
    moeLayers: [...new Set(mixtures.map(({ layer }) => layer))],
    globalMicrobatches: globalMicrobatchesOf(topology),
    microbatchSequences: microbatchSequencesOf(topology),
  };
}

/** Layers of one pipeline stage: contiguous, as even as can be, the longer stages first. */
export function layersOfStage(layerCount: number, pipelineParallel: number, pipelineRank: number): number[] {
  const each = Math.floor(layerCount / pipelineParallel);
  const longer = layerCount % pipelineParallel;
  const first = pipelineRank * each + Math.min(pipelineRank, longer);
  return range(each + (pipelineRank < longer ? 1 : 0)).map((index) => first + index);
}

/** Experts of one group: contiguous blocks of equal size. */
export function expertsOfGroup(numExperts: number, expertParallel: number, group: number): number[] {
  const each = numExperts / expertParallel;
  return range(each).map((index) => group * each + index);
}

/** Index of a rank's microbatch in the whole step; batches and reduction order go by it. */
export function globalMicrobatch(dataRank: number, microBatches: number, microbatch: number): number {
  return dataRank * microBatches + microbatch;
}

const range = (length: number): number[] => Array.from({ length }, (_, index) => index);
