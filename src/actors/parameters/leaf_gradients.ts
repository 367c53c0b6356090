/**
 * The gradients of a role's own microbatches on their way into the sum: a leaf is open while backward programs write it,
 * then folds with its siblings.
 */
import type { AllReduce } from './all_reduce.ts';
import { GradientTree } from './gradient_tree.ts';
import type { Gradient, ParameterSet } from './parameter_set.ts';

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
    await allReduce.contribute(step, blocks);
    blocks.slice(1).forEach((block) => this.parameters.giveGradient(block.value));
  }

  /** Gives back every leaf and block of a step that is not to be finished. */
  abandon(): void {
    for (const leaf of this.opened.values()) this.parameters.giveGradient(leaf);
    this.opened.clear();
    for (const { value } of this.tree.drain()) this.parameters.giveGradient(value);
  }

  /** The sum of all leaves, for a role without replicas. */
  async root(): Promise<Gradient> {
    const root = await this.tree.root();
    if (root === null) throw new Error('no gradient was closed in this step');
    return root;
  }
}
