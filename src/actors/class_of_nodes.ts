/** Whether the nodes of a run round alike: by the hash of results that each has registered with. */
import { numericsClass } from '../kernels/numerics.ts';
import type { Member as NodeMember } from '../runtime/cluster/nats.ts';

/** The nodes of a run round differently. */
export class ClassesDiffer extends Error {
  readonly tag = 'ClassesDiffer';
  readonly exitCode = 1;
  constructor(members: readonly NodeMember[]) {
    const list = members.map((member) => `${member.node} ${numericsClass(member)}`).join(', ');
    super(
      `the nodes round differently (${list}); use machines of one kind and the same cluster.device, or set recovery.allow_class_change=true and do without equal bits`,
    );
    this.name = 'ClassesDiffer';
  }
}

/** The numerics class of all nodes, or of the first where they may differ. Throws `ClassesDiffer`. */
export function classOfNodes(members: readonly NodeMember[], mayDiffer: boolean): string {
  const [first] = members;
  const isMixed = members.some(({ classHash }) => classHash !== first.classHash);
  if (isMixed && !mayDiffer) throw new ClassesDiffer(members);
  return numericsClass(first);
}
