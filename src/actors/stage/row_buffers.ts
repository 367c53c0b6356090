/**
 * Memory for rows between the actors of one worker (`rows_port.ts`), taken before the first step. A microbatch is in one place
 * at a time: between a stage and a router or a neighbour, or on its way between a router and the groups of one layer.
 */
import type { Slice } from '../../kernels/device.ts';
import { typeOf } from '../../kernels/program.ts';
import type { Mixture } from '../../models/model.ts';
import type { Mesh, StageRank } from '../../topology/index.ts';
import { groupAddress, stageAddress } from '../placement/addresses.ts';
import type { RowsPort } from './rows_port.ts';
import type { StageContext } from './stage_context.ts';

/** Rows that memory for a group of so many experts has. */
export function groupRows({ programs }: Mixture, experts: number): number {
  const [rows] = typeOf(programs.expert, 'rows_SD').shape;
  return experts * (typeof rows === 'number' ? rows : rows.max);
}

export interface RowBufferOptions {
  readonly mesh: Mesh;
  readonly rank: StageRank;
  readonly mixtures: readonly Mixture[];
  /** Of the microbatches that may be under way in the stage at once, and that of generation. */
  readonly contexts: readonly StageContext[];
}

/** Who of those that a stage exchanges rows with lives on its worker: what its buffers depend on. */
export interface Allies {
  readonly hasNeighbour: boolean;
  /** Most expert groups of one of its layers. */
  readonly groups: number;
}

export function alliesOf(
  isHere: RowsPort['isHere'],
  mesh: Mesh,
  { pipelineRank, dataRank, layers }: StageRank,
): Allies {
  const here = new Map(layers.map((layer) => [layer, 0]));
  for (const { layer, group } of mesh.expertGroups) {
    const count = here.get(layer);
    if (count !== undefined && isHere(groupAddress(layer, group))) here.set(layer, count + 1);
  }
  return {
    hasNeighbour: [-1, 1].some((by) => isHere(stageAddress(pipelineRank + by, dataRank))),
    groups: [...here.values()].reduce((most, count) => Math.max(most, count), 0),
  };
}

/** Takes buffers from the slice of a stage, for what it and its routers exchange with others of the worker. */
export function reserveRowBuffers(
  port: RowsPort,
  slice: Slice,
  { mesh, rank, mixtures, contexts }: RowBufferOptions,
): void {
  const { hasNeighbour, groups } = alliesOf(port.isHere, mesh, rank);
  for (const { plan, tensors } of contexts) {
    const { steps, arrivals, departures } = plan.part;
    const hand = steps.find((step) => step.kind === 'hand');
    const neighbour = hasNeighbour ? (departures[0] ?? arrivals[0])?.stream : undefined;
    const stream = hand?.gives ?? neighbour;
    if (stream !== undefined) port.reserve(slice, tensors[stream].dtype, tensors[stream].shape);
  }
  const [mixture] = mixtures;
  if (mixture === undefined) return;
  const each = mesh.expertGroups.find(({ layer }) => layer === mixture.layer)!.experts.length;
  const { dtype, shape } = typeOf(mixture.programs.expert, 'rows_SD');
  port.reserve(slice, dtype, [groupRows(mixture, each), Number(shape[1])], contexts.length * groups);
}
