/**
 * Row buffers are memory for rows between the actors of one worker (`rows_port.ts`), taken before the first step: for each
 * microbatch one between its stage and a router or another stage, and one for each group of a layer. Where a family has more
 * under way at once, the others go by value.
 */
import type { Slice } from '../../kernels/device.ts';
import { typeOf } from '../../kernels/program.ts';
import type { Mixture } from '../../models/model.ts';
import type { Mesh } from '../../topology/index.ts';
import { groupAddress, stageAddress } from '../placement/addresses.ts';
import type { RankPart } from './rank_part.ts';
import type { RowsPort } from './rows_port.ts';
import type { StageContext } from './stage_context.ts';

/** Rows that memory for a group of so many experts has. */
export function groupRows({ programs }: Mixture, experts: number): number {
  const [rows] = typeOf(programs.expert, 'rows_SD').shape;
  return experts * (typeof rows === 'number' ? rows : rows.max);
}

export interface RowBufferOptions {
  readonly mesh: Mesh;
  readonly own: RankPart;
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
  { rank: { dataRank }, part: { mixtures, arrivals, departures } }: RankPart,
): Allies {
  const here = new Map(mixtures.map(({ layer }) => [layer, 0]));
  for (const { layer, group } of mesh.expertGroups) {
    const count = here.get(layer);
    if (count !== undefined && isHere(groupAddress(layer, group))) here.set(layer, count + 1);
  }
  const others = [...arrivals.map(({ from }) => from), ...departures.flatMap(({ to }) => to)];
  return {
    hasNeighbour: others.some((other) => isHere(stageAddress(other, dataRank))),
    groups: [...here.values()].reduce((most, count) => Math.max(most, count), 0),
  };
}

/** Takes buffers from the slice of a stage, for what it and its routers exchange with others of the worker. */
export function reserveRowBuffers(port: RowsPort, slice: Slice, { mesh, own, contexts }: RowBufferOptions): void {
  const { hasNeighbour, groups } = alliesOf(port.isHere, mesh, own);
  for (const { plan, tensors } of contexts) {
    const { steps, arrivals, departures } = plan.part;
    const hand = steps.find((step) => step.kind === 'hand');
    const neighbour = hasNeighbour ? (departures[0] ?? arrivals[0])?.stream : undefined;
    const stream = hand?.gives ?? neighbour;
    if (stream !== undefined) port.reserve(slice, tensors[stream].dtype, tensors[stream].shape);
  }
  const [mixture] = own.part.mixtures;
  if (mixture === undefined) return;
  const each = mesh.expertGroups.find(({ layer }) => layer === mixture.layer)!.experts.length;
  const { dtype, shape } = typeOf(mixture.programs.expert, 'rows_SD');
  port.reserve(slice, dtype, [groupRows(mixture, each), Number(shape[1])], contexts.length * groups);
}
