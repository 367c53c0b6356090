/**
 * Placement: which worker hosts each role. A pure function, so that every node computes the same one and a restart finds
 * its actors where it left them. Stage ranks go round robin; expert groups then fill up the least loaded workers.
 */
import type { Mesh } from './mesh.ts';
import type { ClusterSection } from './schema.ts';

/** A worker thread of a node, both by index. */
export interface Worker {
  readonly node: number;
  readonly worker: number;
}

/** The workers that a cluster begins with, in node-then-worker order. */
export function workersOf({ nodes, workers_per_node }: Pick<ClusterSection, 'nodes' | 'workers_per_node'>): Worker[] {
  return Array.from({ length: nodes * workers_per_node }, (_, i) => ({
    node: Math.floor(i / workers_per_node),
    worker: i % workers_per_node,
  }));
}

/** Role name (`stage-p0-d0`, `experts-l1-g0`) to the worker that hosts it. Routers live with their stage rank. */
export type Placement = ReadonlyMap<string, Worker>;

/**
 * Places every role of a mesh. `flopsByRole` holds the FLOPs of a training step of each role; ties go to the first worker
 * in node-then-worker order. Throws RangeError without workers, and where a role has no FLOPs.
 */
export function place(mesh: Mesh, flopsByRole: ReadonlyMap<string, number>, workers: readonly Worker[]): Placement {
  if (workers.length === 0) throw new RangeError('placement needs at least one worker; none joined');
  const ordered = [...workers].sort((a, b) => a.node - b.node || a.worker - b.worker);
  const load = ordered.map(() => 0);
  const placement = new Map<string, Worker>();

  const put = (role: string, index: number): void => {
    const flops = flopsByRole.get(role);
    if (flops === undefined)
      throw new RangeError(`placement of ${role}: its FLOPs are not given; pass flopsByRole(...)`);
    load[index] += flops;
    placement.set(role, ordered[index]);
  };
  mesh.stages.forEach((stage, order) => put(stage.role, order % ordered.length));
  const byLoad = new LeastLoaded(load);
  for (const group of mesh.expertGroups) {
    put(group.role, byLoad.first);
    byLoad.rose();
  }
  return placement;
}

/** Which worker has the least to do, of equals the first: a heap, since a large mesh asks it once for each of many groups. */
class LeastLoaded {
  private readonly load: readonly number[];
  private readonly heap: number[];

  /** `load` by worker; whoever changes that of the first one says so. */
  constructor(load: readonly number[]) {
    this.load = load;
    this.heap = load.map((_, worker) => worker).sort((a, b) => (this.isBefore(a, b) ? -1 : 1));
  }

  get first(): number {
    return this.heap[0];
  }

  /** The load of the first one rose. */
  rose(): void {
    const { heap } = this;
    for (let at = 0; ;) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < heap.length && this.isBefore(heap[child], heap[least])) least = child;
      }
      if (least === at) return;
      [heap[at], heap[least]] = [heap[least], heap[at]];
      at = least;
    }
  }

  private isBefore(a: number, b: number): boolean {
    return this.load[a] < this.load[b] || (this.load[a] === this.load[b] && a < b);
  }
}
