/** What can go wrong with the records that the nodes of a cluster share. One line each: what, where, what to do. */

import { printable } from '../transport/link_errors.ts';

/** The key-value store did not answer, or is not there. */
export class KvUnavailable extends Error {
  readonly tag = 'KvUnavailable';
  override readonly name = 'KvUnavailable';
  constructor(bucket: string, cause: unknown) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    super(`bucket ${bucket}: ${detail}; see that the NATS server runs, with JetStream and room in its store`, {
      cause,
    });
  }
}

const WAY_ON =
  'move nats/ of the run directory aside (on a server of your own: delete the bucket), then continue with --resume';

/** A record in the store is not what this version writes there. */
export class DamagedRecord extends Error {
  readonly tag = 'DamagedRecord';
  override readonly name = 'DamagedRecord';
  readonly exitCode = 1;
  /** `found`: the record as it stands. */
  constructor(key: string, problem: string, found: string) {
    super(`key ${key}: ${problem}, but '${printable(found, 60)}'; run the same version on all nodes, or ${WAY_ON}`);
  }
}

/** The store contradicts itself. */
export class DamagedStore extends Error {
  readonly tag = 'DamagedStore';
  override readonly name = 'DamagedStore';
  readonly exitCode = 1;
  constructor(key: string, problem: string) {
    super(`the NATS store is damaged: key ${key}: ${problem}; ${WAY_ON}`);
  }
}

/** The bucket was removed while the run had it. */
export class KvBucketGone extends Error {
  readonly tag = 'KvBucketGone';
  override readonly name = 'KvBucketGone';
  readonly exitCode = 1;
  constructor(bucket: string) {
    super(
      `bucket ${bucket}: it is gone from the NATS server, and with it the gen and the decisions of the run; see who removed it, ` +
        'then continue with --resume: what was checkpointed is safe',
    );
  }
}

/** A live run has the name. */
export class ClusterNameTaken extends Error {
  readonly tag = 'ClusterNameTaken';
  override readonly name = 'ClusterNameTaken';
  constructor(cluster: string, runId: string) {
    super(
      `cluster ${cluster}: run ${runId} is alive under this name; end it, or set another name in the topology file`,
    );
  }
}

/** Another launch has taken the name of a run that lives. */
export class ClusterNameLost extends Error {
  readonly tag = 'ClusterNameLost';
  override readonly name = 'ClusterNameLost';
  constructor(cluster: string) {
    super(
      `cluster ${cluster}: this launch gave no sign of life for a lease and another has taken the name; what was ` +
        'checkpointed is safe, continue with --resume under another name',
    );
  }
}

/** No run was started under the name. */
export class ClusterMissing extends Error {
  readonly tag = 'ClusterMissing';
  override readonly name = 'ClusterMissing';
  constructor(cluster: string) {
    super(`cluster ${cluster}: no run was started under this name; launch one first, or correct the name`);
  }
}

/** A node of that name is registered. */
export class NodeNameTaken extends Error {
  readonly tag = 'NodeNameTaken';
  override readonly name = 'NodeNameTaken';
  constructor(node: string) {
    super(
      `node ${node}: a node of this name is in the cluster; choose another name, or wait until it is declared dead`,
    );
  }
}

/** Another process has taken this node's place. */
export class NodeReplaced extends Error {
  readonly tag = 'NodeReplaced';
  override readonly name = 'NodeReplaced';
  constructor(node: string) {
    super(`node ${node}: it was removed or another process took its name; end this one and join anew`);
  }
}
