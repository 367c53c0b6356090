/** Two nodes with a network that fails between them and the server: `a` sends, `b` has a sink and a counter. */

import type { NatsServer } from '../../../src/runtime/cluster/nats_server.ts';
import type { Ref, TensorPayload } from '../../../src/runtime/index.ts';
import type { LinkLimits } from '../../../src/runtime/transport/link_limits.ts';
import { Counter, counterProtocol } from '../counter.ts';
import { FaultProxy } from './fault_proxy.ts';
import { TestNode } from './nats_kit.ts';
import { entry, Sink, sinkProtocol } from './sink.ts';
import { WirePlan, type WireRule } from './wire_plan.ts';

/** Subjects of what `b` gets. */
export const DATA = 'troupe.test.v1.data.b.a';
export const CONTROL = 'troupe.test.v1.control.b.a';

export interface FaultPairOptions {
  readonly rules?: readonly WireRule[];
  readonly seed?: number;
  readonly limits?: Partial<LinkLimits>;
}

export class FaultPair {
  readonly proxy: FaultProxy;
  readonly a: TestNode;
  readonly b: TestNode;
  readonly sink = new Sink();
  readonly counter = new Counter();
  readonly toSink: Ref<typeof sinkProtocol>;
  readonly toCounter: Ref<typeof counterProtocol>;

  private constructor(proxy: FaultProxy, a: TestNode, b: TestNode) {
    this.proxy = proxy;
    this.a = a;
    this.b = b;
    b.system.spawn(sinkProtocol, 'b/sink', () => this.sink, { dataCapacity: 10_000 });
    b.system.spawn(counterProtocol, 'b/counter', () => this.counter);
    this.toSink = a.system.ref(sinkProtocol, 'b/sink');
    this.toCounter = a.system.ref(counterProtocol, 'b/counter');
  }

  static async open(server: NatsServer, { rules = [], seed = 1, limits = {} }: FaultPairOptions): Promise<FaultPair> {
    const proxy = await FaultProxy.open(server.address, new WirePlan(seed, rules));
    const [a, b] = await Promise.all(['a', 'b'].map((name) => TestNode.open(proxy.address, name, { limits })));
    return new FaultPair(proxy, a, b);
  }

  /** Puts the tensors, numbered from `first`; returns what the sink is to have of them. */
  put(tensors: readonly TensorPayload[], first = 0): string[] {
    tensors.forEach((x, i) => this.toSink.tell.put({ n: first + i, x }));
    return tensors.map((x, i) => entry(first + i, x));
  }

  /** Both nodes enter `gen`. */
  enter(gen: number): void {
    for (const { system, transport } of [this.a, this.b]) {
      system.enter(gen);
      transport.enter(gen);
    }
  }

  /** Resolves when all that the server has for the nodes has been read by them. */
  async settle(): Promise<void> {
    for (const { transport } of [this.a, this.b, this.b, this.a]) {
      await transport.links.dataConnection.flush();
      await transport.links.controlConnection.flush();
    }
    for (const { system } of [this.a, this.b]) await system.idle();
  }

  /** What `a`, then `b`, have said of broken links: the kind and gen of each. */
  get broken(): string[][] {
    return [this.a, this.b].map(({ broken }) => broken.map(({ fault, gen }) => `${fault.kind} ${gen}`));
  }

  /** Frames that somebody still holds, at `a` and `b`. */
  get leased(): number[] {
    return [this.a.pool.leased, this.b.pool.leased];
  }

  async close(): Promise<void> {
    await Promise.all([this.a.close(), this.b.close()]);
    await this.proxy.close();
  }
}
