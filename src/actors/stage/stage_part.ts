/**
 * The part of a model that one pipeline rank runs: its layers' steps, and the streams that it gets from other ranks and gives
 * to them. Pure; the same for all data-parallel replicas of the rank.
 */
import { layersOf, type Layer, type Mixture, type Model, type Step } from '../../models/model.ts';
import type { Mesh } from '../../topology/index.ts';
import { useKeysOf } from '../parameters/holding.ts';
import { readsOf, writesOf } from './step_streams.ts';

export interface StagePart {
  readonly steps: readonly Step[];
  /** By step that runs: the key of each weight's gradient, by the program's name of the weight; see `useKey`. */
  readonly gradientKeys: ReadonlyMap<Step, Readonly<Record<string, string>>>;
  readonly mixtures: readonly Mixture[];
  /** Streams that another rank writes and this one reads. */
  readonly arrivals: readonly { readonly stream: string; readonly from: number }[];
  /** Streams that this rank writes and others read, these in order. */
  readonly departures: readonly { readonly stream: string; readonly to: readonly number[] }[];
}

const known = new WeakMap<Model, WeakMap<object, StagePart[]>>();

/** The part of one rank; those of a model are made together and once, since a plan asks for thousands. */
export function stagePart(model: Model, mesh: Pick<Mesh, 'stages'>, pipelineRank: number): StagePart {
  const ofModel = known.get(model) ?? new WeakMap<object, StagePart[]>();
  const parts = ofModel.get(mesh) ?? partsOf(layersOf(model), mesh);
  known.set(model, ofModel.set(mesh, parts));
  return parts[pipelineRank];
}

/** The parts of all pipeline ranks. */
function partsOf(layers: readonly Layer[], mesh: Pick<Mesh, 'stages'>): StagePart[] {
  const ranks = ranksOf(layers, mesh);
  const writer = new Map<string, number>();
  const readers = new Map<string, Set<number>>();
  for (const [at, { steps }] of layers.entries()) {
    for (const stream of steps.flatMap(readsOf)) readers.set(stream, (readers.get(stream) ?? new Set()).add(ranks[at]));
    for (const stream of steps.flatMap(writesOf)) writer.set(stream, ranks[at]);
  }
  const programs = layers.flatMap((layer) => layer.steps.filter((step) => step.kind === 'run'));
  const keys = useKeysOf(programs.map(({ weights }) => weights));
  const gradientKeys = new Map<Step, Readonly<Record<string, string>>>(programs.map((step, i) => [step, keys[i]]));
  const layersOfRank = Map.groupBy(layers.keys(), (at) => ranks[at]);
  return Array.from({ length: 1 + ranks[ranks.length - 1] }, (_, rank) => {
    const own = (layersOfRank.get(rank) ?? []).map((at) => layers[at]);
    const steps = own.flatMap((layer) => layer.steps);
    const arrivals = [...new Set(steps.flatMap(readsOf))].flatMap((stream) => {
      const from = writer.get(stream);
      return from === undefined || from === rank ? [] : [{ stream, from }];
    });
    const departures = steps.flatMap(writesOf).flatMap((stream) => {
      const to = [...(readers.get(stream) ?? [])].filter((other) => other !== rank).sort((x, y) => x - y);
      return to.length === 0 ? [] : [{ stream, to }];
    });
    return { steps, gradientKeys, mixtures: own.flatMap(({ mixtures }) => mixtures), arrivals, departures };
  });
}

/** Pipeline rank of each layer; one that the pipeline does not count goes with the next that it does, or with the last. */
function ranksOf(layers: readonly Layer[], { stages }: Pick<Mesh, 'stages'>): number[] {
  const rankOf = new Map(
    stages.flatMap(({ pipelineRank, layers: of }) => of.map((index) => [index, pipelineRank] as const)),
  );
  const ranks: number[] = [];
  let next = Math.max(...rankOf.values());
  for (const { index } of layers.toReversed()) {
    if (index !== null) next = rankOf.get(index)!;
    ranks.push(next);
  }
  return ranks.reverse();
}

/** As much of a part as makes `streams`, and what other ranks read of it: without losses where only logits are wanted. */
export function partTowards(part: StagePart, streams: readonly string[]): StagePart {
  const wanted = new Set([...streams, ...part.departures.map(({ stream }) => stream)]);
  const steps = part.steps.toReversed().filter((step) => {
    const isWanted = writesOf(step).some((stream) => wanted.has(stream));
    if (isWanted) for (const stream of readsOf(step)) wanted.add(stream);
    return isWanted;
  });
  return { ...part, steps: steps.reverse(), arrivals: part.arrivals.filter(({ stream }) => wanted.has(stream)) };
}
