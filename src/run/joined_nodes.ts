/**
 * The joined nodes of a run are those that came by themselves, from this machine or another. They are taken in between two
 * steps, unless they round otherwise than the run does; nobody here starts them again. Any node, whoever started it, may be
 * drained: its roles go elsewhere, and then it leaves.
 */
import type { Member as NodeMember } from '../runtime/cluster/nats.ts';
import { isSame, type NodeLife } from './gathering.ts';

export interface JoinedNodesOptions {
  /** Hashes of the numerics classes that the run has; null where any will do. */
  readonly classes: ReadonlySet<string> | null;
  /** Names of the nodes that the launcher starts. */
  readonly own: readonly string[];
  readonly notice: (text: string) => void;
}

export class JoinedNodes {
  private readonly options: JoinedNodesOptions;
  private readonly nodes = new Map<string, NodeLife>();
  private readonly drained = new Set<string>();
  /** Lives that were looked at once; whoever has left, or was refused, is not taken in by its record. */
  private readonly seen = new Set<string>();

  constructor(options: JoinedNodesOptions) {
    this.options = options;
  }

  /** Those that are to have roles. */
  get lives(): readonly NodeLife[] {
    return this.staying([...this.nodes.values()]);
  }

  /** Those of `lives` that are not to be drained. */
  staying(lives: readonly NodeLife[]): readonly NodeLife[] {
    return lives.filter(({ node }) => !this.drained.has(node));
  }

  /** Takes in a node that has registered; returns what that is for the run, in words, and null where it is nothing. */
  take({ node, incarnation, workers }: NodeMember): string | null {
    const { classes, own, notice } = this.options;
    const life = { node, incarnation };
    if (own.includes(node) || this.seen.has(lifeName(life))) return null;
    this.seen.add(lifeName(life));
    const foreign = workers.find(({ classHash }) => classes?.has(classHash) === false);
    if (foreign !== undefined) {
      notice(`${node}: not taken in, it rounds differently (${foreign.device}); set recovery.allow_class_change=true`);
      return null;
    }
    this.nodes.set(node, life);
    return `${node} joins with ${workers.length} ${workers.length === 1 ? 'worker' : 'workers'}`;
  }

  /** Whether a life of a joined node has ended that still counted; it does not any more. */
  lose(life: NodeLife): boolean {
    const known = this.nodes.get(life.node);
    return known !== undefined && isSame(known, life) && this.nodes.delete(life.node);
  }

  /** A node is to be drained; returns what that is for the run, in words, and null where it is nothing new. */
  drain(node: string): string | null {
    if (this.drained.has(node)) return null;
    this.drained.add(node);
    return `${node} is drained`;
  }

  /** Names of those that were drained: once all roles are elsewhere they may go. */
  dismissed(): readonly string[] {
    const gone = [...this.drained];
    for (const node of gone) this.nodes.delete(node);
    this.drained.clear();
    return gone;
  }
}

const lifeName = ({ node, incarnation }: NodeLife): string => `${node} ${incarnation}`;
