/**
 * Traffic: the bytes of tensors that one training step sends from worker to worker, by cause and by transport; a pure
 * function of mesh and placement. All of it is exact but token dispatch, which follows the routing: of that there is
 * what evenly loaded experts make of it, and the most that capacity lets through. Headers of messages are not counted.
 */
import type { Mesh, StageRank } from './mesh.ts';
import type { Placement, Worker } from './placement.ts';
import { expertCapacity } from './plan.ts';
import { blocksOf, chunkRange } from './reduction.ts';
import type { Topology } from './schema.ts';

/** Within a worker, between the threads of a node, between nodes. */
export type TransportName = 'local' | 'thread' | 'nats';

export interface Traffic {
  /** Messages that carry tensors. */
  readonly messages: number;
  /** Rows to the experts, rows back, and the gradients of both, in the dispatch's precision. */
  readonly dispatchEven: number;
  readonly dispatchMost: number;
  /** Rows between a stage and its routers and their gradients, in fp32; these always live together. */
  readonly handOver: number;
  /** Rows between stages and their gradients, in fp32. */
  readonly pipeline: number;
  /** Blocks of gradients to the replica that sums them, and sums back, in fp32. */
  readonly allReduce: number;
}

export interface Link extends Traffic {
  readonly from: Worker;
  readonly to: Worker;
  readonly transport: TransportName;
}

export interface StepTraffic {
  /** Every pair of workers of which the first sends the second anything; from and to may be one. */
  readonly links: readonly Link[];
  /** Sums of the links, but for `dispatchMost`: not every expert can be full at once. */
  readonly byTransport: Readonly<Record<TransportName, Traffic>>;
}

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
  const ledger = new Ledger();
  const tokens = mesh.microbatchSequences * topology.training.sequence_length;
  const rowsBytes = tokens * topology.model.hidden_size * bytesPerFloat;
  for (const rank of mesh.stages) {
    const here = placement.get(rank.role)!;
    const next = mesh.stages.find((s) => s.dataRank === rank.dataRank && s.pipelineRank === rank.pipelineRank + 1);
    if (next !== undefined) {
      const there = placement.get(next.role)!;
      const pipeline = { messages: micro_batches, pipeline: micro_batches * rowsBytes };
      ledger.send(here, there, pipeline);
      ledger.send(there, here, pipeline);
    }
    for (const layer of rank.layers.filter((l) => mesh.moeLayers.includes(l))) {
      const handOvers = 2 * crossingsEachWay * micro_batches;
      ledger.send(here, here, { messages: handOvers, handOver: handOvers * rowsBytes });
      dispatch(ledger, sources, here, layer, tokens);
    }
    allReduce(ledger, sources, rank);
  }
  return ledger.close();
}

/** Rows of one router with the expert groups of its layer, wherever these live. */
function dispatch(ledger: Ledger, sources: TrafficSources, router: Worker, layer: number, tokens: number): void {
  const { topology, mesh, placement } = sources;
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
  const groups = mesh.expertGroups.filter((group) => group.layer === layer);
  const perWorker = new Map<Worker, { groups: number; experts: number }>();
  const perTransport = new Map<TransportName, number>();
  for (const { role, experts } of groups) {
    const worker = placement.get(role)!;
    const before = perWorker.get(worker) ?? { groups: 0, experts: 0 };
    perWorker.set(worker, { groups: before.groups + 1, experts: before.experts + experts.length });
    const transport = transportOf(router, worker);
    perTransport.set(transport, (perTransport.get(transport) ?? 0) + experts.length);
  }
  for (const [worker, { groups: count, experts }] of perWorker) {
    const part = { messages: passes * count, ...bytesOf(experts) };
    ledger.onLink(router, worker, part);
    ledger.onLink(worker, router, part);
    ledger.inTotal(transportOf(router, worker), { messages: 2 * passes * count });
  }
  for (const [transport, experts] of perTransport) {
    const { dispatchEven, dispatchMost } = bytesOf(experts);
    ledger.inTotal(transport, { dispatchEven: 2 * dispatchEven, dispatchMost: 2 * dispatchMost });
  }
}

/** What one rank sends its replicas: blocks of the chunks that they own, and the sum of its own chunk. */
function allReduce(ledger: Ledger, sources: TrafficSources, { role, pipelineRank, dataRank }: StageRank): void {
  const { topology, mesh, placement, arenas } = sources;
  const { data_parallel: ranks, micro_batches } = topology.parallelism;
  const blocks = blocksOf(dataRank * micro_batches, micro_batches);
  for (const other of mesh.stages) {
    if (other.pipelineRank !== pipelineRank || other.dataRank === dataRank) continue;
    for (const length of arenas.get(role)!) {
      const elements = blocks * chunkLength(length, ranks, other.dataRank) + chunkLength(length, ranks, dataRank);
      const part = { messages: blocks + 1, allReduce: elements * bytesPerFloat };
      ledger.send(placement.get(role)!, placement.get(other.role)!, part);
    }
  }
}

function chunkLength(length: number, ranks: number, chunk: number): number {
  const [start, end] = chunkRange(length, ranks, chunk);
  return end - start;
}

const nothing: Traffic = { messages: 0, dispatchEven: 0, dispatchMost: 0, handOver: 0, pipeline: 0, allReduce: 0 };

/** Sums by link and by transport. */
class Ledger {
  private readonly links = new Map<string, Link>();
  private readonly totals: Record<TransportName, Traffic> = { local: nothing, thread: nothing, nats: nothing };

  /** Books what one worker sends another. */
  send(from: Worker, to: Worker, part: Partial<Traffic>): void {
    this.onLink(from, to, part);
    this.inTotal(transportOf(from, to), part);
  }

  onLink(from: Worker, to: Worker, part: Partial<Traffic>): void {
    const key = `${from.node}.${from.worker} ${to.node}.${to.worker}`;
    const link = this.links.get(key) ?? { from, to, transport: transportOf(from, to), ...nothing };
    this.links.set(key, { ...link, ...sum(link, part) });
  }

  inTotal(transport: TransportName, part: Partial<Traffic>): void {
    this.totals[transport] = sum(this.totals[transport], part);
  }

  close(): StepTraffic {
    const links = [...this.links.values()].sort((a, b) => byPlace(a.from, b.from) || byPlace(a.to, b.to));
    return { links, byTransport: this.totals };
  }
}

function sum(a: Traffic, b: Partial<Traffic>): Traffic {
  return {
    messages: a.messages + (b.messages ?? 0),
    dispatchEven: a.dispatchEven + (b.dispatchEven ?? 0),
    dispatchMost: a.dispatchMost + (b.dispatchMost ?? 0),
    handOver: a.handOver + (b.handOver ?? 0),
    pipeline: a.pipeline + (b.pipeline ?? 0),
    allReduce: a.allReduce + (b.allReduce ?? 0),
  };
}

const byPlace = (a: Worker, b: Worker): number => a.node - b.node || a.worker - b.worker;

function transportOf(from: Worker, to: Worker): TransportName {
  if (from.node !== to.node) return 'nats';
  return from.worker === to.worker ? 'local' : 'thread';
}
