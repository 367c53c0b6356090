/**
 * The ledger of a step's traffic: what each worker sends each other, by cause, and the sums by transport. Links are kept by
 * number and added to in place, since a cluster of thousands of workers has millions of them.
 */
import type { Worker } from './placement.ts';

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

type Sums = { -readonly [Cause in keyof Traffic]: number };
type OpenLink = Sums & Pick<Link, 'from' | 'to' | 'transport'>;

const nothing = (): Sums => ({ messages: 0, dispatchEven: 0, dispatchMost: 0, handOver: 0, pipeline: 0, allReduce: 0 });

export class TrafficLedger {
  private readonly numbers = new Map<Worker, number>();
  private readonly links = new Map<number, OpenLink>();
  private readonly totals: Record<TransportName, Sums> = { local: nothing(), thread: nothing(), nats: nothing() };

  /** Books what one worker sends another. */
  send(from: Worker, to: Worker, part: Partial<Traffic>): void {
    this.onLink(from, to, part);
    this.inTotal(transportOf(from, to), part);
  }

  onLink(from: Worker, to: Worker, part: Partial<Traffic>): void {
    const key = this.numberOf(from) * mostWorkers + this.numberOf(to);
    const link = this.links.get(key) ?? { from, to, transport: transportOf(from, to), ...nothing() };
    this.links.set(key, link);
    add(link, part);
  }

  inTotal(transport: TransportName, part: Partial<Traffic>): void {
    add(this.totals[transport], part);
  }

  close(): StepTraffic {
    const links = [...this.links.values()].sort((a, b) => byPlace(a.from, b.from) || byPlace(a.to, b.to));
    return { links, byTransport: this.totals };
  }

  private numberOf(worker: Worker): number {
    const known = this.numbers.get(worker);
    if (known !== undefined) return known;
    const number = this.numbers.size;
    this.numbers.set(worker, number);
    return number;
  }
}

/** Squared it is exact in a float. */
const mostWorkers = 2 ** 26;

function add(sums: Sums, part: Partial<Traffic>): void {
  sums.messages += part.messages ?? 0;
  sums.dispatchEven += part.dispatchEven ?? 0;
  sums.dispatchMost += part.dispatchMost ?? 0;
  sums.handOver += part.handOver ?? 0;
  sums.pipeline += part.pipeline ?? 0;
  sums.allReduce += part.allReduce ?? 0;
}

const byPlace = (a: Worker, b: Worker): number => a.node - b.node || a.worker - b.worker;

export function transportOf(from: Worker, to: Worker): TransportName {
  if (from.node !== to.node) return 'nats';
  return from.worker === to.worker ? 'local' : 'thread';
}
