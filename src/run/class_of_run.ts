/**
 * The numerics class of a run is what must be the same for another run to give its bits. Workers that were given one
 * choice of device must round alike; where the choices differ, so that a mixture is meant, the class tells which worker
 * rounds how, since the order of workers decides which role lives where.
 */
import { numericsClass, type Numerics } from '../kernels/numerics.ts';
import type { Member as NodeMember } from '../runtime/cluster/nats.ts';
import { deviceOf, type ClusterSection } from '../topology/index.ts';

/** How a worker rounds. */
export interface WorkerClass {
  readonly node: string;
  /** What `cluster.device` has for it. */
  readonly choice: string;
  readonly numerics: Numerics;
}

/** The classes of the workers of all nodes, in the order of `nodes`, as they have registered. */
export function classesOf(
  members: readonly NodeMember[],
  nodes: readonly string[],
  cluster: ClusterSection,
): WorkerClass[] {
  return nodes.flatMap((node, index) => {
    const { workers = [] } = members.find((member) => member.node === node) ?? {};
    return workers.map((numerics, worker) => ({ node, choice: deviceOf(cluster, index, worker), numerics }));
  });
}

/** Workers of one choice round differently. */
export class ClassesDiffer extends Error {
  readonly tag = 'ClassesDiffer';
  readonly exitCode = 1;
  constructor(workers: readonly WorkerClass[]) {
    const nodes = [...new Set(workers.map(({ node }) => node))];
    const classesOn = (node: string): string => {
      const own = workers.filter((worker) => worker.node === node);
      return [...new Set(own.map(({ numerics }) => numericsClass(numerics)))].join(' and ');
    };
    super(
      `the nodes round differently (${nodes.map((node) => `${node} ${classesOn(node)}`).join(', ')}); use machines of one kind, give each its own cluster.device, or set recovery.allow_class_change=true and do without equal bits`,
    );
    this.name = 'ClassesDiffer';
  }
}

/**
 * The class of all workers, in node-then-worker order; that of the first where those of one choice may differ. Throws
 * `ClassesDiffer`.
 */
export function classOfRun(workers: readonly WorkerClass[], mayDiffer: boolean): string {
  const [first] = workers;
  const isAs = (a: WorkerClass, b: WorkerClass): boolean => a.numerics.classHash === b.numerics.classHash;
  const areAlike = workers.every((worker) =>
    isAs(
      worker,
      workers.find(({ choice }) => choice === worker.choice)!,
    ),
  );
  if (!areAlike && !mayDiffer) throw new ClassesDiffer(workers);
  const isMeant = workers.some(({ choice }) => choice !== first.choice);
  if (!isMeant || workers.every((worker) => isAs(worker, first))) return numericsClass(first.numerics);
  const runs: { readonly of: WorkerClass; count: number }[] = [];
  for (const worker of workers) {
    const last = runs.at(-1);
    if (last !== undefined && isAs(last.of, worker)) last.count++;
    else runs.push({ of: worker, count: 1 });
  }
  return runs.map(({ of, count }) => `${count} x ${numericsClass(of.numerics)}`).join(', ');
}
