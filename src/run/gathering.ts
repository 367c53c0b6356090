/**
 * The gathering of nodes is one view of who has registered for a run: it waits until all that are expected are there, and
 * tells from then on who has come and who gives no sign of life. Which nodes those are is not decided here.
 */
import { NodeDied, NodesMissing } from '../runtime/cluster/index.ts';
import { Membership, type KvStore, type Member as NodeMember } from '../runtime/cluster/nats.ts';
import type { Clock } from '../runtime/index.ts';
import type { Topology } from '../topology/index.ts';
import { RunFailed } from './cluster.ts';

export interface GatheringOptions {
  readonly topology: Topology;
  readonly cluster: string;
  readonly runId: string;
  readonly store: KvStore;
  readonly clock: Clock;
  /** When aborted, nobody is waited for or watched any more. */
  readonly signal: AbortSignal;
  /** A life of a node gives no sign of it, or another life of that node has begun. */
  readonly onSilent: (life: NodeLife, error: NodeDied) => void;
  /** What was written about a node makes no sense. */
  readonly onFailure: (error: Error) => void;
}

/** One life of a node: of the same name there may be others, before and after it. */
export interface NodeLife {
  readonly node: string;
  readonly incarnation: number;
}

/** Pause between looks at who has registered. */
const lookMs = 50;

export class Gathering {
  private readonly options: GatheringOptions;
  private readonly membership: Membership;

  private constructor(options: GatheringOptions, membership: Membership) {
    this.options = options;
    this.membership = membership;
  }

  /** Throws `KvUnavailable`, `DamagedRecord`. */
  static async open(options: GatheringOptions): Promise<Gathering> {
    const { topology, runId, store, clock, signal, onSilent, onFailure } = options;
    const { lease_ms: leaseMs } = topology.recovery;
    const membership = await Membership.open({
      store,
      clock,
      runId,
      leaseMs,
      events: {
        joined: () => undefined,
        left: () => undefined,
        died: (member) => onSilent(lifeOf(member), silent(member.node, leaseMs)),
        failed: (error) => onFailure(error instanceof Error ? error : new RunFailed(String(error))),
      },
    });
    // Opened when all was over, it would poll for ever.
    if (signal.aborted) membership.stop();
    signal.addEventListener('abort', () => membership.stop());
    return new Gathering(options, membership);
  }

  /** Those that have registered and live, as far as is known. */
  get present(): readonly NodeMember[] {
    return this.membership.alive;
  }

  /** Looks now who has come. Throws `KvUnavailable`, `DamagedRecord`. */
  look(): Promise<void> {
    return this.membership.look();
  }

  /**
   * Waits until all of `lives`, which may change meanwhile, are present, and returns them; none once all is over. Throws
   * `NodesMissing`, `DamagedRecord`.
   */
  async until(lives: () => readonly NodeLife[]): Promise<readonly NodeMember[]> {
    const { topology, cluster, clock, signal } = this.options;
    const waitMs = topology.cluster.wait * 1000;
    const startMs = clock.now();
    while (!signal.aborted) {
      const wanted = lives();
      const found = wanted.map((life) => this.present.find((member) => isSame(member, life)));
      const there = found.filter((member) => member !== undefined);
      if (there.length === wanted.length) return there;
      const waitedMs = clock.now() - startMs;
      const missing = wanted.filter((_, i) => found[i] === undefined).map(({ node }) => node);
      if (waitedMs >= waitMs) throw new NodesMissing(cluster, missing, wanted.length, waitedMs);
      await new Promise<void>((resolve) => clock.after(lookMs, resolve));
      await this.membership.look();
    }
    return [];
  }
}

export const isSame = (a: NodeLife, b: NodeLife): boolean => a.node === b.node && a.incarnation === b.incarnation;

const lifeOf = ({ node, incarnation }: NodeMember): NodeLife => ({ node, incarnation });

/** A node that has given no sign of life for a lease; its process may hang. */
function silent(node: string, leaseMs: number): NodeDied {
  const reason = `no sign of life for ${leaseMs} ms`;
  return new NodeDied(node, { exitCode: null, signal: null, reason, log: [], flight: [] });
}
