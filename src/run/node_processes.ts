/** The node processes of a run are started with their start data, and what they print is passed on by their names. */
import { NodeProcess, type NodeDied } from '../runtime/cluster/index.ts';
import { toPlain } from '../topology/index.ts';
import { visibleText } from '../visible_text.ts';
import type { BatchSource } from './batch_source.ts';
import type { ClusterOptions } from './cluster.ts';
import { isDawnLimitWarning } from './dawn_warnings.ts';
import type { NodeStartData } from './node_main.ts';
import type { RunServer } from './run_server_port.ts';

export interface NodeClusterOptions {
  readonly server: RunServer;
  /** The name under which the nodes find each other. */
  readonly name: string;
  readonly runId: string;
  /** Something that whoever watches the run should know. */
  readonly notice: (text: string) => void;
  /** The module that nodes run; default `node_main`. For tests. */
  readonly entry?: URL;
  /** A node's process has been started. */
  readonly started: (node: string, pid: number) => void;
  /** When aborted, a launch is given up, with the signal's reason; one that has begun is asked by its trainer. */
  readonly signal: AbortSignal;
}

export interface NodesOptions {
  readonly run: ClusterOptions;
  readonly source: BatchSource;
  readonly meeting: NodeClusterOptions;
  /** The gen that all begin in. */
  readonly gen: number;
}

const nodeMain = new URL(import.meta.url.endsWith('.ts') ? './node_main.ts' : './node_main.js', import.meta.url);

/**
 * Starts a node for each of `names`, in order, when it is asked for: whoever asks has each in hand before anything else can
 * fail. `onDied` is told of one that ends without being told to.
 */
export function* startNodes(
  names: readonly string[],
  { run, source, meeting, gen }: NodesOptions,
  onDied: (error: NodeDied) => void,
): Generator<NodeProcess, void> {
  const { runSpec, evaluations, routing, fresh } = run;
  const { topology, baseDir, vocabulary, sublayersDigest, observed } = runSpec;
  const { name, runId, server, entry = nodeMain } = meeting;
  const startData: Omit<NodeStartData, 'index'> = {
    topology: toPlain(topology),
    baseDir,
    vocabulary,
    sublayersDigest,
    observes: observed !== null,
    source,
    routing,
    fresh: fresh === null ? null : [...fresh],
    server: server.address,
    cluster: name,
    runId,
    gen,
    evaluations: [...evaluations],
  };
  for (const [index, node] of names.entries()) {
    const onLine = (line: string): void => {
      if (!isDawnLimitWarning(line)) process.stderr.write(`${node}: ${visibleText(line)}\n`);
    };
    yield new NodeProcess({ name: node, entry, data: { ...startData, index } satisfies NodeStartData, onDied, onLine });
  }
}
