/**
 * Row buffers are memory for rows between the actors of one worker (`rows_port.ts`), taken before the first step: for each
 * microbatch one between its stage and a router or another stage, and one for each group of a layer. Where a family has more
 * under way at once, the others go by value.
 */
import type { Slice, Tensor } from '../../kernels/device.ts';
import { typeOf, type Program } from '../../kernels/program.ts';
import { maxElements } from '../../kernels/shape.ts';
import type { Mixture } from '../../models/model.ts';
import type { Mesh } from '../../topology/index.ts';
import { groupAddress, stageAddress } from '../placement/addresses.ts';
import type { RankPart } from './rank_part.ts';
import type { RowsPort } from './rows_port.ts';
import type { StageContext } from './stage_context.ts';

/** Rows that a group of so many experts may get of a microbatch: as many as each may, but no token goes to one twice. */
export function groupRows({ programs }: Mixture, experts: number): number {
  const most = (program: Program, name: string): number => maxElements(typeOf(program, name).shape.slice(0, 1));
  const tokens = most(programs.dispatch, 'h_RD');
  const choices = most(programs.dispatch, 'order_S') / tokens;
  return Math.min(experts * most(programs.expert, 'rows_SD'), tokens * Math.min(choices, experts));
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
  const here = new Map(mixtures.map(({ name }) => [name, 0]));
  for (const { mixture, group } of mesh.expertGroups) {
    const count = here.get(mixture);
    if (count !== undefined && isHere(groupAddress(mixture, group))) here.set(mixture, count + 1);
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
    const hands = steps.flatMap((step) => (step.kind === 'hand' ? [step.gives] : []));
    const neighbour = hasNeighbour ? (departures[0] ?? arrivals[0])?.stream : undefined;
    const streams = hands.length === 0 && neighbour !== undefined ? [neighbour] : hands;
    for (const { dtype, shape } of shapesOf(streams.map((stream) => tensors[stream])))
      port.reserve(slice, dtype, shape);
  }
  const ofGroups = own.part.mixtures.flatMap((mixture) => {
    const { experts } = mesh.expertGroups.find((group) => group.mixture === mixture.name)!;
    return ['rows_SD', 'outputs_SD'].map((name) => {
      const { dtype, shape } = typeOf(mixture.programs.expert, name);
      return { dtype, shape: [groupRows(mixture, experts.length), Number(shape[1])] };
    });
  });
  for (const { dtype, shape } of shapesOf(ofGroups)) port.reserve(slice, dtype, shape, contexts.length * groups);
}

type Room = Pick<Tensor, 'dtype' | 'shape'>;

/** One of each type and shape. */
const shapesOf = (rooms: readonly Room[]): Room[] => [
  ...new Map(rooms.map(({ dtype, shape }) => [`${dtype} ${shape.join()}`, { dtype, shape }] as const)).values(),
];
