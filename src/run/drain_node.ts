/** Draining a node from outside of a run: it is asked for in the store, and done when the newest assignment is without it. */
import { findCluster, NatsConnection, NatsKvStore, type NatsAddress } from '../runtime/cluster/nats.ts';
import { SystemClock } from '../runtime/index.ts';
import { findAssignment } from './assignment.ts';
import { isRequested, requestDrain } from './drain_request.ts';

export interface DrainOptions {
  readonly server: NatsAddress;
  readonly cluster: string;
  readonly node: string;
}

/** A node cannot be drained. */
export class DrainRefused extends Error {
  readonly tag = 'DrainRefused';
  readonly exitCode = 1;
  constructor(node: string, why: string) {
    super(`${node}: not drained, ${why}`);
    this.name = 'DrainRefused';
  }
}

const clock = new SystemClock();
/** Between looks at whether it was done. */
const lookMs = 100;
/** How long a step in hand, a checkpoint and the new places may take. */
const patienceMs = 10 * 60_000;

/** Resolves once the roles are elsewhere, with the milliseconds that took. Throws `DrainRefused`, `ClusterMissing` ... */
export async function drainNode({ server, cluster, node }: DrainOptions) {
  const control = await NatsConnection.open(server, `${cluster}/drain`);
  try {
    const store = await NatsKvStore.open(control, cluster);
    const runId = await findCluster(store, cluster);
    const before = await findAssignment(store, runId);
    if (before === null) throw new DrainRefused(node, 'the run has not begun yet');
    if (!before.nodes.includes(node)) throw new DrainRefused(node, `the nodes are ${before.nodes.join(', ')}`);
    if (before.nodes.length === 1) throw new DrainRefused(node, 'nobody else could have its roles');
    const startMs = clock.now();
    await requestDrain(store, runId, node);
    for (;;) {
      const now = await findAssignment(store, runId);
      const ms = clock.now() - startMs;
      if (now !== null && !now.nodes.includes(node)) return { ms, nodes: now.nodes };
      if (ms > patienceMs) {
        const why = (await isRequested(store, node)) ? 'the launcher has not heard of it' : 'its step goes on';
        throw new DrainRefused(node, `${why} after ${Math.round(ms / 1000)} s`);
      }
      await new Promise<void>((resolve) => clock.after(lookMs, resolve));
    }
  } finally {
    await control.close();
  }
}
