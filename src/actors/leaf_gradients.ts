/**
 * The gradients of a role's own microbatches on their way into the sum: a leaf is open while backward programs write it,
 * then folds with its siblings.
 */
import type { AllReduce } from './all_reduce.ts';
import { GradientTree } from './gradient_tree.ts';
import type { Gradient, ParameterSet } from './parameter_set.ts';

/**
 * Gradients of one role that are alive at once at most: the blocks of the microbatches of each rank that sends it
 * leaves (a binary counter each), the one being made among them, and the sum over replicas where there is one.
 */
export function gradientsAlive(microbatches: number, ranks: number, hasReplicas: boolean): number {
  return ranks * (Math.floor(Math.log2(microbatches)) + 1) + (hasReplicas ? 1 : 0);
}

export class LeafGradients {
  private readonly parameters: ParameterSet;
  private readonly tree: GradientTree<Gradient>;
  private readonly opened = new Map<number, Gradient>();

  constructor(parameters: ParameterSet) {
    this.parameters = parameters;
    this.tree = new GradientTree(
      (into, from) => parameters.add(into, from),
      (gradient) => parameters.giveGradient(gradient),
    );
  }

  /** The leaf of a global microbatch; the same one until it is closed. */
  open(microbatch: number): Gradient {
    const leaf = this.opened.get(microbatch) ?? this.parameters.takeGradient();
    this.opened.set(microbatch, leaf);
    return leaf;
  }

  /** The leaf is complete: folds it into the tree. */
  async close(microbatch: number): Promise<void> {
    const leaf = this.open(microbatch);
    this.opened.delete(microbatch);
    await this.tree.insert(leaf, microbatch);
  }

  /** Hands this role's blocks to the sum over replicas. */
  async reduce(step: number, allReduce: AllReduce): Promise<void> {
    const blocks = this.tree.drain();
    await allReduce.contribute(step, blocks, this.parameters.takeGradient());
    blocks.forEach((block) => this.parameters.giveGradient(block.value));
  }

  /** The sum of all leaves, for a role without replicas. */
  async root(): Promise<Gradient> {
    const root = await this.tree.root();
    if (root === null) throw new Error('no gradient was closed in this step');
    return root;
  }
}
