/** Nodes for tests: a system each, over the NATS transport. An address starts with the name of its node: `a/counter`. */
import type { NatsServer } from '../../../src/runtime/cluster/nats_server.ts';
import { ActorSystem, HeapFramePool, SystemClock } from '../../../src/runtime/index.ts';
import type { LinkBroken } from '../../../src/runtime/transport/link_errors.ts';
import type { LinkLimits } from '../../../src/runtime/transport/link_limits.ts';
import type { NatsAddress } from '../../../src/runtime/transport/nats_connection.ts';
import { NatsTransport } from '../../../src/runtime/transport/nats_transport.ts';

export interface TestNodeOptions {
  readonly cluster?: string;
  readonly runId?: string;
  readonly limits?: Partial<LinkLimits>;
}

export class TestNode {
  readonly name: string;
  readonly system: ActorSystem;
  readonly transport: NatsTransport;
  readonly pool: HeapFramePool;
  readonly log: string[];
  readonly #happenings: Happenings;

  private constructor(
    name: string,
    transport: NatsTransport,
    pool: HeapFramePool,
    happenings: Happenings,
    log: string[],
  ) {
    this.name = name;
    this.transport = transport;
    this.pool = pool;
    this.log = log;
    this.#happenings = happenings;
    this.system = new ActorSystem({ name, transport, logSink: ({ text }) => void log.push(text) });
  }

  static async open(server: NatsAddress, name: string, options: TestNodeOptions = {}): Promise<TestNode> {
    const { cluster = 'test', runId = 'run-1', limits = {} } = options;
    const pool = new HeapFramePool({ poison: true });
    const happenings = new Happenings();
    const transport = await NatsTransport.open({
      server,
      cluster,
      runId,
      node: name,
      clock: new SystemClock(),
      pool,
      limits,
      directory: (address) => (address.startsWith('nobody') ? null : address.replace('@', '').split('/')[0]),
      events: {
        broken: (error) => {
          happenings.broken.push(error);
          happenings.tell('broken');
        },
        noResponders: (node) => happenings.tell(`no responders ${node}`),
        connection: (lane, isConnected) => happenings.tell(`${lane} ${isConnected ? 'connected' : 'disconnected'}`),
      },
    });
    return new TestNode(name, transport, pool, happenings, []);
  }

  /** The broken links so far. */
  get broken(): readonly LinkBroken[] {
    return this.#happenings.broken;
  }

  /** Resolves at the next `broken`, `no responders NODE`, `LANE connected` or `LANE disconnected`. */
  next(what: string): Promise<void> {
    return this.#happenings.next(what);
  }

  async close(): Promise<void> {
    await this.system.stop();
    await this.transport.close();
  }
}

/** Opens nodes on a server, that of a test file unless another is given; `close` closes those that are `open`. */
export function nodesOn(server: () => NatsServer) {
  type Options = TestNodeOptions & { readonly server?: NatsServer };
  const open: TestNode[] = [];
  const node = async (name: string, options: Options = {}): Promise<TestNode> => {
    const opened = await TestNode.open((options.server ?? server()).address, name, options);
    open.push(opened);
    return opened;
  };
  const pair = (options: Options = {}): Promise<TestNode[]> =>
    Promise.all(['a', 'b'].map((name) => node(name, options)));
  const close = async (): Promise<void> => {
    await Promise.all(open.splice(0).map((each) => each.close()));
  };
  return { open, node, pair, close };
}

class Happenings {
  readonly broken: LinkBroken[] = [];
  readonly #waiting = new Map<string, (() => void)[]>();

  next(what: string): Promise<void> {
    return new Promise((resolve) => this.#waiting.set(what, [...(this.#waiting.get(what) ?? []), resolve]));
  }

  tell(what: string): void {
    for (const resolve of this.#waiting.get(what)?.splice(0) ?? []) resolve();
  }
}
