/**
 * Traffic: the bytes of tensors that one training step sends from worker to worker, by cause and by transport; a pure
 * function of mesh and placement. All of it is exact but token dispatch, which follows the routing: of that there is
 * what evenly loaded experts make of it, and the most that capacity lets through. Headers of messages are not counted.
 */
import { stageRole, type Mesh, type StageRank } from './mesh.ts';
import type { Placement, Worker } from './placement.ts';
import { expertCapacity } from './plan.ts';
import { blocksOf, chunkRange } from './reduction.ts';
import type { Topology } from './schema.ts';
import { TrafficLedger, transportOf, type StepTraffic, type TransportName } from './traffic_ledger.ts';

export interface TrafficSources {
  readonly topology: Topology;
  readonly mesh: Mesh;
  readonly placement: Placement;
  /** Elements of each flat arena that replicas sum, by role of the stage rank that they belong to. */
  readonly arenas: ReadonlyMap<string, readonly number[]>;
}

const bytesPerFloat = 4;

/** Of four crossings, two go each way. */
const crossingsEachWay = 2;

/** What crosses in one training step. */
export function trafficOf(sources: TrafficSources): StepTraffic {
  const { topology, mesh, placement } = sources;
  const { micro_batches } = topology.parallelism;
  const ledger = new TrafficLedger();
  const moeLayers = new Set(mesh.moeLayers);
  const stages = new Map(mesh.stages.map((rank) => [rank.role, rank]));
  const homes = homesOf(sources);
  const tokens = mesh.microbatchSequences * topology.training.sequence_length;
  const rowsBytes = tokens * topology.model.hidden_size * bytesPerFloat;
  for (const rank of mesh.stages) {
    const here = placement.get(rank.role)!;
    const next = stages.get(stageRole(rank.pipelineRank + 1, rank.dataRank));
    if (next !== undefined) {
      const there = placement.get(next.role)!;
      const pipeline = { messages: micro_batches, pipeline: micro_batches * rowsBytes };
      ledger.send(here, there, pipeline);
      ledger.send(there, here, pipeline);
    }
    for (const layer of rank.layers.filter((l) => moeLayers.has(l))) {
      const handOvers = 2 * crossingsEachWay * micro_batches;
      ledger.send(here, here, { messages: handOvers, handOver: handOvers * rowsBytes });
      dispatch(ledger, sources, here, homes.get(layer) ?? new Map(), tokens);
    }
    allReduce(ledger, sources, rank);
  }
  return ledger.close();
}

/** How many groups of a layer live on a worker, and how many experts these have. */
type Homes = ReadonlyMap<Worker, { readonly groups: number; readonly experts: number }>;

/** Where the experts of each layer live. */
function homesOf({ mesh, placement }: TrafficSources): ReadonlyMap<number, Homes> {
  const homes = new Map<number, Map<Worker, { groups: number; experts: number }>>();
  for (const { layer, role, experts } of mesh.expertGroups) {
    const ofLayer = homes.get(layer) ?? new Map<Worker, { groups: number; experts: number }>();
    homes.set(layer, ofLayer);
    const worker = placement.get(role)!;
    const before = ofLayer.get(worker) ?? { groups: 0, experts: 0 };
    ofLayer.set(worker, { groups: before.groups + 1, experts: before.experts + experts.length });
  }
  return homes;
}

/** Rows of one router with the expert groups of its layer, wherever these live. */
function dispatch(
  ledger: TrafficLedger,
  { topology }: TrafficSources,
  router: Worker,
  homes: Homes,
  tokens: number,
): void {
  const { moe, model, parallelism } = topology;
  if (moe === undefined) return;
  const { num_experts, top_k } = moe;
  const capacity = expertCapacity(tokens, top_k, num_experts, moe.capacity_factor, moe.min_capacity);
  const rowBytes = model.hidden_size * (moe.dispatch_dtype === 'bf16' ? 2 : bytesPerFloat);
  const passes = parallelism.micro_batches * crossingsEachWay;
  /** One way, to or from so many experts of the layer: a token visits an expert once. */
  const bytesOf = (experts: number) => ({
    dispatchEven: passes * rowBytes * Math.min((tokens * top_k * experts) / num_experts, experts * capacity),
    dispatchMost: passes * rowBytes * Math.min(tokens * Math.min(top_k, experts), experts * capacity),
  });
  const perTransport = new Map<TransportName, number>();
  for (const [worker, { groups: count, experts }] of homes) {
    const transport = transportOf(router, worker);
    perTransport.set(transport, (perTransport.get(transport) ?? 0) + experts);
    const part = { messages: passes * count, ...bytesOf(experts) };
    ledger.onLink(router, worker, part);
    ledger.onLink(worker, router, part);
    ledger.inTotal(transport, { messages: 2 * passes * count });
  }
  for (const [transport, experts] of perTransport) {
    const { dispatchEven, dispatchMost } = bytesOf(experts);
    ledger.inTotal(transport, { dispatchEven: 2 * dispatchEven, dispatchMost: 2 * dispatchMost });
  }
}

/** What one rank sends its replicas: blocks of the chunks that they own, and the sum of its own chunk. */
function allReduce(ledger: TrafficLedger, sources: TrafficSources, { role, pipelineRank, dataRank }: StageRank): void {
  const { topology, placement, arenas } = sources;
  const { data_parallel: ranks, micro_batches } = topology.parallelism;
  const blocks = blocksOf(dataRank * micro_batches, micro_batches);
  const here = placement.get(role)!;
  for (let other = 0; other < ranks; other++) {
    if (other === dataRank) continue;
    const there = placement.get(stageRole(pipelineRank, other))!;
    for (const length of arenas.get(role)!) {
      const elements = blocks * chunkLength(length, ranks, other) + chunkLength(length, ranks, dataRank);
      ledger.send(here, there, { messages: blocks + 1, allReduce: elements * bytesPerFloat });
    }
  }
}

function chunkLength(length: number, ranks: number, chunk: number): number {
  const [start, end] = chunkRange(length, ranks, chunk);
  return end - start;
}
