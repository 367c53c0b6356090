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

/** Rows of a room for a group of so many experts. */
export function groupRows(mixture: Mixture, experts: number): number {
  const [rows] = typeOf(mixture.programs.expert, 'rows_SD').shape;
  return experts * (typeof rows === 'number' ? rows : rows.max);
}

export interface RowBufferOptions {
  readonly mesh: Mesh;
  readonly rank: StageRank;
  readonly mixture: Mixture | null;
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
  { mesh, rank, mixture, contexts }: RowBufferOptions,
): void {
  const { hasNeighbour, groups } = alliesOf(port.isHere, mesh, rank);
  for (const { steps, input, output } of contexts) {
    const exchange = steps.find((step) => step.kind === 'exchange');
    const rows = exchange?.routed ?? (hasNeighbour ? (output?.rows ?? input?.rows) : undefined);
    if (rows !== undefined) port.reserve(slice, rows.dtype, rows.shape);
  }
  const first = mesh.expertGroups.find(({ layer }) => rank.layers.includes(layer));
  if (first === undefined || mixture === null) return;
  const { dtype, shape } = typeOf(mixture.programs.expert, 'rows_SD');
  const room = [groupRows(mixture, first.experts.length), Number(shape[1])];
  port.reserve(slice, dtype, room, contexts.length * groups);
}
