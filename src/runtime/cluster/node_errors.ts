/** What can go wrong with the processes of a cluster. One line each: what, where, what to do. */

import type { FlightEntry } from '../system/flight_record.ts';

/** What is known of a node process that has ended. */
export interface NodeExitReport {
  /** Null if it ended by a signal. */
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  /** What it said itself of why it ends; null if it could not. */
  readonly reason: string | null;
  /** The last lines that it wrote, and then those of the thread that failed; oldest first. */
  readonly log: readonly string[];
  /** The last messages that the thread that failed has handled, oldest first; empty if that is not known. */
  readonly flight: readonly FlightEntry[];
}

/** How an error that nobody caught is printed; what Node prints after it says nothing. */
const errorLine = /^[\w$]*Error(?: \[\w+\])?: /;

/** How V8 and the C++ library say that they got no memory; a stack of addresses follows. */
const memoryLine = /^FATAL ERROR: .*(?:out of memory|allocation failed)|^Fatal .*out of memory|std::bad_alloc/i;

/** Whether a line that a process has written says why it ends, whatever it writes after. */
export const isLastWord = (line: string): boolean => memoryLine.test(line);

const MEMORY =
  'out of memory; lower training.sequence_length or the microbatch (more parallelism.micro_batches), or spread the run over ' +
  'more machines';

/**
 * A node's process ended that was not told to, or the node gives no sign of life. Before the run has begun, what the node
 * said itself is all there is to do.
 */
export class NodeDied extends Error {
  readonly tag = 'NodeDied';
  override readonly name = 'NodeDied';
  readonly node: string;
  readonly exitCode = 1;
  readonly exitReport: NodeExitReport;
  /** Which node, and what is known of how it ended. */
  readonly how: string;
  constructor(node: string, exitReport: NodeExitReport, when: 'starting' | 'running' = 'running') {
    const { signal, exitCode, reason, log } = exitReport;
    const how = signal === null ? `exit code ${exitCode ?? 'unknown'}` : signal;
    const words = reason ?? lastWords(log);
    const detail = words === '' ? `ended (${how})` : reason === null ? `ended (${how}); ${words}` : words;
    const again = reason === null ? ' before the run began; launch it again' : '';
    super(
      `${node}: ${detail}${when === 'starting' ? again : '; what was checkpointed is safe, continue with --resume'}`,
    );
    this.node = node;
    this.exitReport = exitReport;
    this.how = `${node}: ${detail}`;
  }
}

function lastWords(log: readonly string[]): string {
  if (log.some(isLastWord)) return MEMORY;
  const last = log.findLast((line) => errorLine.test(line)) ?? log.at(-1);
  return last === undefined ? '' : `its last words: ${last}`;
}

/** Nodes that did not register, or did not end, in time. */
export class NodesMissing extends Error {
  readonly tag = 'NodesMissing';
  override readonly name = 'NodesMissing';
  readonly exitCode = 1;
  readonly missing: readonly string[];
  constructor(cluster: string, missing: readonly string[], asked: number, waitedMs: number) {
    super(
      `cluster ${cluster}: ${asked - missing.length} of ${asked} nodes after ${Math.round(waitedMs / 1000)} s, ` +
        `missing: ${missing.join(', ')}; see what holds them, ask for fewer cluster.nodes, or raise cluster.wait`,
    );
    this.missing = missing;
  }
}

/** The entry of a node was run by hand. */
export class NotANode extends Error {
  readonly tag = 'NotANode';
  override readonly name = 'NotANode';
  readonly exitCode = 2;
  constructor(problem: string) {
    super(`node: ${problem}; nodes are started by 'troupe launch'`);
  }
}
