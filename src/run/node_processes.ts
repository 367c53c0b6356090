/** The node processes of a run are started with their start data, and what they print is passed on by their names. */
import { NodeProcess, type NodeDied } from '../runtime/cluster/index.ts';
import { visibleText } from '../visible_text.ts';
import { isDawnLimitWarning } from './dawn_warnings.ts';
import type { NodeLife } from './gathering.ts';
import type { NodeStartData } from './node_main.ts';
import type { RunFactsData } from './run_facts.ts';
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
  readonly facts: RunFactsData;
  readonly meeting: NodeClusterOptions;
  /** Of the nodes, in the order of the topology. */
  readonly names: readonly string[];
}

const nodeMain = new URL(import.meta.url.endsWith('.ts') ? './node_main.ts' : './node_main.js', import.meta.url);

/** What starts the process of a life of a node, one of `names`; `onDied` is told when it ends without being told to. */
export function nodeStarter({ facts, meeting, names }: NodesOptions) {
  const { name: cluster, server, entry = nodeMain } = meeting;
  return ({ node: name, incarnation }: NodeLife, onDied: (error: NodeDied) => void): NodeProcess => {
    const index = names.indexOf(name);
    const data: NodeStartData = { index, incarnation, server: server.address, cluster, facts };
    const onLine = (line: string): void => {
      if (!isDawnLimitWarning(line)) process.stderr.write(`${name}: ${visibleText(line)}\n`);
    };
    return new NodeProcess({ name, entry, data, onDied, onLine });
  };
}
