/** The gathering of nodes waits until all of a launch have registered, and watches from then on whether they live. */
import { NodeDied, NodesMissing } from '../runtime/cluster/index.ts';
import { Membership, type KvStore, type Member as NodeMember } from '../runtime/cluster/nats.ts';
import type { Clock } from '../runtime/index.ts';
import type { Topology } from '../topology/index.ts';
import { RunFailed } from './cluster.ts';

export interface GatheringOptions {
  readonly topology: Topology;
  readonly cluster: string;
  readonly runId: string;
  readonly names: readonly string[];
  readonly store: KvStore;
  readonly clock: Clock;
  /** When aborted, nobody is waited for or watched any more. */
  readonly signal: AbortSignal;
  /** A node gives no sign of life, or what it wrote makes no sense. */
  readonly onFailure: (error: Error) => void;
}

/** Pause between looks at who has registered. */
const lookMs = 50;

/**
 * Waits for the nodes named, and returns their registrations; none once all is over. Throws `NodesMissing`,
 * `DamagedRecord`.
 */
export async function gatherNodes(options: GatheringOptions): Promise<readonly NodeMember[]> {
  const { topology, cluster, runId, names, store, clock, signal, onFailure } = options;
  const { lease_ms: leaseMs } = topology.recovery;
  const waitMs = topology.cluster.wait * 1000;
  const startMs = clock.now();
  const membership = await Membership.open({
    store,
    clock,
    runId,
    leaseMs,
    events: {
      joined: () => undefined,
      left: () => undefined,
      died: ({ node }) => onFailure(silent(node, leaseMs)),
      failed: (error) => onFailure(error instanceof Error ? error : new RunFailed(String(error))),
    },
  });
  // Opened when all was over, it would poll for ever.
  if (signal.aborted) membership.stop();
  signal.addEventListener('abort', () => membership.stop());
  while (!signal.aborted) {
    const { alive } = membership;
    const missing = names.filter((name) => !alive.some(({ node }) => node === name));
    if (missing.length === 0) return alive.filter(({ node }) => names.includes(node));
    const waitedMs = clock.now() - startMs;
    if (waitedMs >= waitMs) throw new NodesMissing(cluster, missing, names.length, waitedMs);
    await new Promise<void>((resolve) => clock.after(lookMs, resolve));
    await membership.look();
  }
  return [];
}

/** A node that has given no sign of life for a lease; its process may hang. */
function silent(node: string, leaseMs: number): NodeDied {
  const reason = `no sign of life for ${leaseMs} ms`;
  return new NodeDied(node, { exitCode: null, signal: null, reason, log: [], flight: [] });
}
