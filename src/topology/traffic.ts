/**
 * Traffic: the bytes of tensors that one training step sends from worker to worker, by cause and by transport; a pure
 * function of the actors' edges and their places. All of it is exact but token dispatch, which follows the routing: of that
 * there is what evenly loaded experts make of it, and the most that capacity lets through. Headers of messages are not counted.
 */
import type { Placement, Worker } from './placement.ts';
import { ownedOf } from './reduction.ts';
import type { RowEdge } from './row_edge.ts';
import { TrafficLedger, transportOf, type StepTraffic, type TransportName } from './traffic_ledger.ts';

/** An actor, as far as others have to do with it. */
export interface TrafficActor {
  readonly address: string;
  readonly role: string;
  readonly edges: () => readonly RowEdge[];
  readonly sums: () => readonly SumEdge[];
}

/** A flat arena of gradients that an actor sums with others. */
export interface SumEdge {
  /** Addresses of all that sum it, the actor's own among them, in order. */
  readonly sharers: readonly string[];
  readonly rank: number;
  /** Elements. */
  readonly length: number;
  /** What the actor sends of each piece to its owner. */
  readonly blocks: number;
}

export interface TrafficSources {
  readonly actors: readonly TrafficActor[];
  readonly placement: Placement;
  /** Microbatches of a training step on one data-parallel rank. */
  readonly microBatches: number;
}

const bytesPerFloat = 4;

/** What crosses in one training step. */
export function trafficOf({ actors, placement, microBatches }: TrafficSources): StepTraffic {
  const ledger = new TrafficLedger();
  const homes = new Map(actors.map(({ address, role }) => [address, placement.get(role)!]));
  for (const { address, edges, sums } of actors) {
    const here = homes.get(address)!;
    const dispatched: RowEdge[] = [];
    for (const edge of edges()) {
      if (edge.cause === 'dispatch') dispatched.push(edge);
      else exchange(ledger, here, homes.get(edge.to)!, edge, microBatches);
    }
    dispatch(ledger, here, dispatched, homes, microBatches);
    for (const edge of sums()) sum(ledger, here, edge, homes);
  }
  return ledger.close();
}

/** Rows whose number the routing does not change. */
function exchange(ledger: TrafficLedger, here: Worker, there: Worker, edge: RowEdge, microBatches: number): void {
  const messages = edge.messages * microBatches;
  const part = { messages, [edge.cause]: messages * edge.rowBytes * edge.most };
  ledger.send(here, there, part);
  ledger.send(there, here, part);
}

/** Rows of one router with the expert groups of its mixture, wherever these live: a token visits an expert once. */
function dispatch(
  ledger: TrafficLedger,
  here: Worker,
  edges: readonly RowEdge[],
  homes: ReadonlyMap<string, Worker>,
  microBatches: number,
): void {
  const byWorker = new Map<Worker, RowEdge[]>();
  const byTransport = new Map<TransportName, RowEdge[]>();
  for (const edge of edges) {
    const there = homes.get(edge.to)!;
    append(byWorker, there, edge);
    append(byTransport, transportOf(here, there), edge);
  }
  for (const [there, onLink] of byWorker) {
    const part = { messages: onLink[0].messages * microBatches * onLink.length, ...rowsOf(onLink, microBatches) };
    ledger.onLink(here, there, part);
    ledger.onLink(there, here, part);
    ledger.inTotal(transportOf(here, there), { messages: 2 * part.messages });
  }
  for (const [transport, all] of byTransport) {
    const { dispatchEven, dispatchMost } = rowsOf(all, microBatches);
    ledger.inTotal(transport, { dispatchEven: 2 * dispatchEven, dispatchMost: 2 * dispatchMost });
  }
}

/** Bytes of one way over edges of one router. */
function rowsOf(edges: readonly RowEdge[], microBatches: number): { dispatchEven: number; dispatchMost: number } {
  const [{ messages, rowBytes, together }] = edges;
  const bytes = messages * microBatches * rowBytes;
  const [even, most] = edges.reduce((sums, edge) => [sums[0] + edge.even, sums[1] + edge.most], [0, 0]);
  return { dispatchEven: bytes * even, dispatchMost: bytes * Math.min(most, together) };
}

function append<Key>(lists: Map<Key, RowEdge[]>, key: Key, edge: RowEdge): void {
  const known = lists.get(key);
  if (known === undefined) lists.set(key, [edge]);
  else known.push(edge);
}

/** What an actor sends those that it shares parameters with: blocks of the pieces that they own, and the sums of its own. */
function sum(
  ledger: TrafficLedger,
  here: Worker,
  { sharers, rank, length, blocks }: SumEdge,
  homes: ReadonlyMap<string, Worker>,
): void {
  for (const [owner, { pieces, elements }] of ownedOf(length, sharers.length).entries()) {
    if (pieces === 0) continue;
    const to = owner === rank ? sharers.filter((_, other) => other !== rank) : [sharers[owner]];
    const times = owner === rank ? 1 : blocks;
    const part = { messages: times * pieces, allReduce: times * elements * bytesPerFloat };
    for (const address of to) ledger.send(here, homes.get(address)!, part);
  }
}
