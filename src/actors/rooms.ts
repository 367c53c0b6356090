/**
 * Memory for rows between the actors of one worker (`rows_port.ts`), taken before the first step. A microbatch is in one place
 * at a time: between a stage and a router or a neighbour, or on its way between a router and the groups of one layer.
 */
import type { Slice } from '../kernels/device.ts';
import { typeOf } from '../kernels/program.ts';
import type { Mixture } from '../models/model.ts';
import type { Mesh, StageRank } from '../topology/index.ts';
import { groupAddress, stageAddress } from './addresses.ts';
import type { RowsPort } from './rows_port.ts';
import type { StageContext } from './stage_context.ts';

/** Rows of a room for a group of so many experts. */
export function groupRoom(mixture: Mixture, experts: number): number {
  const [rows] = typeOf(mixture.programs.expert, 'rows_SD').shape;
  return experts * (typeof rows === 'number' ? rows : rows.max);
}

export interface RoomsOptions {
  readonly mesh: Mesh;
  readonly rank: StageRank;
  readonly mixture: Mixture | null;
  /** Of the microbatches that may be under way in the stage at once, and that of generation. */
  readonly contexts: readonly StageContext[];
}

/** Takes rooms from the slice of a stage, for what it and its routers exchange with others of the worker. */
export function reserveRooms(port: RowsPort, slice: Slice, { mesh, rank, mixture, contexts }: RoomsOptions): void {
  const { pipelineRank, dataRank } = rank;
  const hasNeighbour = [-1, 1].some((by) => port.isHere(stageAddress(pipelineRank + by, dataRank)));
  for (const { steps, input, output } of contexts) {
    const exchange = steps.find((step) => step.kind === 'exchange');
    const rows = exchange?.routed ?? (hasNeighbour ? (output?.rows ?? input?.rows) : undefined);
    if (rows !== undefined) port.reserve(slice, rows.dtype, rows.shape);
  }
  const groups = mesh.expertGroups.filter(({ layer }) => rank.layers.includes(layer));
  const [first] = groups;
  if (first === undefined || mixture === null) return;
  const here = rank.layers.map(
    (layer) => groups.filter((group) => group.layer === layer && port.isHere(groupAddress(layer, group.group))).length,
  );
  const { dtype, shape } = typeOf(mixture.programs.expert, 'rows_SD');
  const room = [groupRoom(mixture, first.experts.length), Number(shape[1])];
  for (let i = 0; i < contexts.length * Math.max(...here); i++) port.reserve(slice, dtype, room);
}
