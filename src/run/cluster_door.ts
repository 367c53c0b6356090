/**
 * The door of a cluster is how nodes come and go while it trains: it opens the run to nodes that join, hears of those that
 * have, and of nodes that are to be drained. What follows, another assignment, is the cluster's.
 */
import type { Clock } from '../runtime/index.ts';
import { takeDrainRequests } from './drain_request.ts';
import type { Gathering, NodeLife } from './gathering.ts';
import { JoinedNodes } from './joined_nodes.ts';
import type { PatientKvStore } from './patient_kv_store.ts';
import { openToJoin, type RunFactsData } from './run_facts.ts';

export interface ClusterDoorOptions {
  readonly facts: RunFactsData;
  /** Names of the nodes that the launcher starts. */
  readonly own: readonly string[];
  /** Whether nodes that round otherwise are welcome. */
  readonly mayDiffer: boolean;
  /** Nodes of the launcher that run. */
  readonly started: () => readonly NodeLife[];
  readonly gathering: Gathering;
  readonly store: PatientKvStore;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly notice: (text: string) => void;
  /** Roles are to be placed otherwise, for this reason. */
  readonly onWish: (what: string) => void;
  readonly onFailure: (error: unknown) => void;
}

/** Pause between looks at who has joined, and who is to be drained. */
const lookMs = 500;

export class ClusterDoor {
  readonly nodes: JoinedNodes;
  private readonly options: ClusterDoorOptions;

  constructor(options: ClusterDoorOptions) {
    const { own, mayDiffer, notice } = options;
    const hashes = this.hashesOf(options.gathering);
    this.options = options;
    this.nodes = new JoinedNodes({ classes: mayDiffer ? null : new Set(hashes), own, notice });
  }

  /** All nodes that are to have roles. */
  get lives(): readonly NodeLife[] {
    return this.nodes.staying([...this.options.started(), ...this.nodes.lives]);
  }

  /** From now on nodes may come and go. */
  open(): void {
    const { store, facts, gathering, clock, signal, onFailure } = this.options;
    openToJoin(store, facts, this.hashesOf(gathering)).catch(onFailure);
    const again = (): void => {
      if (!signal.aborted) this.look().then(() => clock.after(lookMs, again), onFailure);
    };
    again();
  }

  private async look(): Promise<void> {
    const { gathering, store, facts } = this.options;
    await gathering.look();
    for (const member of gathering.present) this.wish(this.nodes.take(member));
    for (const node of await takeDrainRequests(store, facts.runId)) this.drain(node);
  }

  private drain(node: string): void {
    const { started, notice } = this.options;
    const lives = [...started(), ...this.nodes.lives];
    if (!lives.some((life) => life.node === node)) return notice(`${node}: not drained, no node has that name`);
    if (this.nodes.staying(lives).every((life) => life.node === node))
      return notice(`${node}: not drained, nobody else could have its roles`);
    this.wish(this.nodes.drain(node));
  }

  private wish(what: string | null): void {
    if (what === null) return;
    this.options.notice(what);
    this.options.onWish(what);
  }

  /** Of the numerics classes that the run has. */
  private hashesOf({ present }: Gathering): string[] {
    return [...new Set(present.flatMap(({ workers }) => workers.map(({ classHash }) => classHash)))];
  }
}
