/**
 * The fleet is the node processes that a launch has started. One that ends without being told to is started again under
 * its name, as often as `cluster.restart` allows, each time after a longer wait; that is decided as a supervisor of actors
 * decides it.
 */
import type { NodeDied, NodeProcess } from '../runtime/cluster/index.ts';
import { decide, type SupervisionOptions } from '../runtime/system/strategies.ts';
import type { Clock, Timer } from '../runtime/index.ts';
import type { ClusterSection } from '../topology/index.ts';
import type { NodeLife } from './gathering.ts';

/** What the fleet needs of a node's process. */
export type FleetProcess = Pick<NodeProcess, 'pid' | 'stop' | 'kill' | 'ended'>;

export interface FleetOptions {
  readonly restart: ClusterSection['restart'];
  readonly clock: Clock;
  /** Starts the process of a life of a node; `onDied` is told when it ends without being told to. */
  readonly start: (life: NodeLife, onDied: (error: NodeDied) => void) => FleetProcess;
  /** A node's process has been started. */
  readonly onStarted: (life: NodeLife, pid: number) => void;
  /** A node's process has ended, and is started again or not. */
  readonly onDied: (error: NodeDied, again: string | null) => void;
}

/** How long nodes may take to stop by themselves; after that they are killed. */
const stopMs = 15_000;

export class NodeFleet {
  private readonly options: FleetOptions;
  private readonly terms: SupervisionOptions;
  /** The newest process of each name. */
  private readonly processes = new Map<string, FleetProcess>();
  /** The newest life of those that run, or are about to again. */
  private readonly running = new Map<string, NodeLife>();
  private readonly restartsMs = new Map<string, readonly number[]>();
  private readonly timers = new Set<Timer>();
  private isOver = false;

  constructor(options: FleetOptions) {
    const { intensity, period, back_off } = options.restart;
    this.options = options;
    this.terms = {
      strategy: 'one_for_one',
      intensity,
      periodMs: period * 1000,
      backoff: { firstMs: back_off * 1000, factor: 2, maxMs: 60_000 },
    };
  }

  /** Those that run, or are about to again: then in the life that is to come. */
  get lives(): readonly NodeLife[] {
    return [...this.running.values()];
  }

  /** Names of all that were ever started. */
  get known(): readonly string[] {
    return [...this.processes.keys()];
  }

  /** Starts a node. What `onStarted` throws passes; the process is known here all the same. */
  start(name: string): void {
    this.begin(this.newLife(name));
  }

  private begin(life: NodeLife): void {
    const { node } = life;
    const started = this.options.start(life, (error) => {
      if (this.processes.get(node) === started) this.died(error);
    });
    this.processes.set(node, started);
    if (started.pid !== undefined) this.options.onStarted(life, started.pid);
  }

  /** A later life has a higher number, whatever the wall clock does. */
  private newLife(node: string): NodeLife {
    const before = this.running.get(node)?.incarnation ?? 0;
    const life = { node, incarnation: Math.max(before + 1, this.options.clock.wallMs()) };
    this.running.set(node, life);
    return life;
  }

  /** Has a node stop for good, since its work is elsewhere now. */
  async dismiss(name: string): Promise<void> {
    if (!this.running.delete(name)) return;
    await this.end([name]);
  }

  /** Ends the process of a life at once, as if it had died by itself: for one that gives no sign of life. */
  fell({ node, incarnation }: NodeLife, error: NodeDied): void {
    if (this.running.get(node)?.incarnation !== incarnation) return;
    this.processes.get(node)?.kill();
    this.died(error);
  }

  /** Has all stop by themselves; those that do not in time are killed. */
  async stop(): Promise<void> {
    this.isOver = true;
    for (const timer of this.timers) timer.cancel();
    await this.end([...this.processes.keys()]);
  }

  /** Ends all at once. */
  kill(): void {
    this.isOver = true;
    for (const timer of this.timers) timer.cancel();
    for (const node of this.processes.values()) node.kill();
  }

  private async end(names: readonly string[]): Promise<void> {
    const nodes = names.flatMap((name) => this.processes.get(name) ?? []);
    for (const node of nodes) node.stop();
    const timer = this.options.clock.after(stopMs, () => nodes.forEach((node) => node.kill()));
    await Promise.all(nodes.map(({ ended }) => ended));
    timer.cancel();
  }

  private died(error: NodeDied): void {
    const { clock, onDied } = this.options;
    const { node } = error;
    if (this.isOver || !this.running.has(node)) return;
    const action = decide(this.terms, {
      children: [{ address: node, restart: 'permanent' }],
      ended: node,
      reason: 'failed',
      nowMs: clock.now(),
      restartsMs: this.restartsMs.get(node) ?? [],
    });
    if (action.kind !== 'restart') {
      this.running.delete(node);
      return onDied(error, null);
    }
    this.restartsMs.set(node, action.restartsMs);
    const { intensity, periodMs } = this.terms;
    const nth = `restart ${action.restartsMs.length} of at most ${intensity} in ${periodMs / 1000} s`;
    const life = this.newLife(node);
    onDied(error, action.delayMs === 0 ? nth : `${nth}, in ${action.delayMs / 1000} s`);
    const timer = clock.after(action.delayMs, () => {
      this.timers.delete(timer);
      if (!this.isOver && this.running.get(node) === life) this.begin(life);
    });
    this.timers.add(timer);
  }
}
