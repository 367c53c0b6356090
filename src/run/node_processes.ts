/** The node processes of a run are started with their start data, and what they print is passed on by their names. */
import { NodeProcess, type NodeDied } from '../runtime/cluster/index.ts';
import { toPlain } from '../topology/index.ts';
import { visibleText } from '../visible_text.ts';
import type { BatchSource } from './batch_source.ts';
import type { ClusterOptions } from './cluster.ts';
import { isDawnLimitWarning } from './dawn_warnings.ts';
import type { NodeLife } from './gathering.ts';
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
  /** The process of a life of a node has been started. */
  readonly started: (life: NodeLife, pid: number) => void;
  /** When aborted, a launch is given up, with the signal's reason; one that has begun is asked by its trainer. */
  readonly signal: AbortSignal;
}

export interface NodesOptions {
  readonly run: ClusterOptions;
  readonly source: BatchSource;
  readonly meeting: NodeClusterOptions;
  /** Of the nodes, in the order of the topology. */
  readonly names: readonly string[];
}

const nodeMain = new URL(import.meta.url.endsWith('.ts') ? './node_main.ts' : './node_main.js', import.meta.url);

/** What starts the process of a life of a node, one of `names`; `onDied` is told when it ends without being told to. */
export function nodeStarter({ run, source, meeting, names }: NodesOptions) {
  const { runSpec, evaluations, routing, fresh } = run;
  const { topology, baseDir, vocabulary, sublayersDigest, observed } = runSpec;
  const { name: cluster, runId, server, entry = nodeMain } = meeting;
  const startData: Omit<NodeStartData, 'index' | 'incarnation'> = {
    topology: toPlain(topology),
    baseDir,
    vocabulary,
    sublayersDigest,
    observes: observed !== null,
    source,
    routing,
    fresh: fresh === null ? null : [...fresh],
    server: server.address,
    cluster,
    runId,
    evaluations: [...evaluations],
  };
  return ({ node: name, incarnation }: NodeLife, onDied: (error: NodeDied) => void): NodeProcess => {
    const index = names.indexOf(name);
    const onLine = (line: string): void => {
      if (!isDawnLimitWarning(line)) process.stderr.write(`${name}: ${visibleText(line)}\n`);
    };
    return new NodeProcess({
      name,
      entry,
      data: { ...startData, index, incarnation } satisfies NodeStartData,
      onDied,
      onLine,
    });
  };
}
