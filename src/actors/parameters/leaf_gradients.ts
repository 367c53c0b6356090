/**
 * Leaf gradients are those of an actor's own microbatches on their way into the sums: a leaf of a bucket is open while backward
 * programs write it, then folds with its siblings. A bucket whose last own leaf is written is whole, and is handed on at once,
 * while earlier layers still compute.
 */
import type { Bindings, FlatArena } from '../../kernels/device.ts';
import { leafIndex, type LeafRange } from '../../topology/index.ts';
import type { Bucket } from './bucket.ts';
import { GradientTree } from './gradient_tree.ts';
import { useKey } from './holding.ts';

/** The leaf of one use of a bucket's parameters, while a microbatch writes it. */
interface OpenLeaf {
  readonly bucket: Bucket;
  readonly use: number;
  readonly arena: FlatArena;
  /** Keys that are not written yet. */
  readonly missing: Set<string>;
}

/** A microbatch on its way back. */
interface OpenMicrobatch {
  /** Tensors for weight gradients, by `useKey`. */
  readonly views: Bindings;
  readonly leaves: Set<OpenLeaf>;
}

/** What is called with a bucket of which all own leaves of a step are in its tree. */
export type WhenWhole = (bucket: Bucket, tree: GradientTree<FlatArena>) => Promise<void>;

export class LeafGradients {
  private readonly range: LeafRange;
  private readonly trees: ReadonlyMap<Bucket, GradientTree<FlatArena>>;
  /** Own leaves of the step that are not in the tree. */
  private readonly left = new Map<Bucket, number>();
  private readonly opened = new Map<number, OpenMicrobatch>();
  private whenWhole: WhenWhole = () => Promise.resolve();

  /** `buckets` that learn, of an actor that makes the leaves of `range`. */
  constructor(buckets: readonly Bucket[], range: LeafRange) {
    this.range = range;
    this.trees = new Map(
      buckets.map((bucket) => [
        bucket,
        new GradientTree<FlatArena>(
          (into, from) => bucket.add(into, from),
          (arena) => bucket.giveGradient(arena),
        ),
      ]),
    );
    this.begin();
  }

  /** Says who goes on with a bucket that is whole. */
  handTo(whenWhole: WhenWhole): void {
    this.whenWhole = whenWhole;
  }

  /** The leaves of a step that begins are all to come. */
  begin(): void {
    this.opened.clear();
    for (const bucket of this.trees.keys()) this.left.set(bucket, this.range.count * bucket.plan.uses.own.length);
  }

  /** The leaves of a global microbatch; the same ones until the step ends. */
  open(microbatch: number): Pick<OpenMicrobatch, 'views'> {
    const opened = this.opened.get(microbatch) ?? this.begun();
    this.opened.set(microbatch, opened);
    return opened;
  }

  /** A backward program has written the gradients with these keys: folds the leaves that are complete. */
  async wrote(microbatch: number, keys: Iterable<string>): Promise<void> {
    const opened = this.opened.get(microbatch);
    if (opened === undefined) return;
    const written = [...keys];
    for (const leaf of [...opened.leaves]) {
      for (const key of written) leaf.missing.delete(key);
      if (leaf.missing.size === 0) await this.fold(microbatch, opened, leaf);
    }
  }

  /** One program has written all gradients of a microbatch: folds its leaves. */
  async close(microbatch: number): Promise<void> {
    const opened = this.opened.get(microbatch);
    if (opened === undefined) return;
    for (const leaf of [...opened.leaves]) await this.fold(microbatch, opened, leaf);
  }

  /**
   * A microbatch has no gradient here: its leaves are left out of the sums, as zeros would be. Not of what others share, who would
   * wait for them.
   */
  async skip(microbatch: number): Promise<void> {
    for (const [bucket, tree] of this.trees) {
      const { own } = bucket.plan.uses;
      for (const use of own) await tree.skip(leafIndex(use, microbatch, this.range.of));
      await this.count(bucket, tree, own.length);
    }
  }

  /** All of a microbatch's backward programs have run: throws where one of them left a gradient unwritten. */
  end(microbatch: number): void {
    const missing = [...(this.opened.get(microbatch)?.leaves ?? [])].flatMap((leaf) => [...leaf.missing]);
    if (missing.length > 0)
      throw new Error(`microbatch ${microbatch}: no program wrote gradients of ${missing.join(', ')}`);
  }

  /** Gives back every leaf and block of a step that is not to be finished. */
  abandon(): void {
    for (const { leaves } of this.opened.values()) for (const { bucket, arena } of leaves) bucket.giveGradient(arena);
    for (const [bucket, tree] of this.trees) for (const { value } of tree.drain()) bucket.giveGradient(value);
    this.begin();
  }

  private begun(): OpenMicrobatch {
    const views: Record<string, Bindings[string]> = {};
    const leaves = new Set<OpenLeaf>();
    for (const bucket of this.trees.keys()) {
      for (const use of bucket.plan.uses.own) {
        const arena = bucket.takeGradient();
        const missing = new Set<string>();
        for (const [name, tensor] of Object.entries(arena.views)) {
          const key = useKey(name, use);
          views[key] = tensor;
          missing.add(key);
        }
        leaves.add({ bucket, use, arena, missing });
      }
    }
    return { views, leaves };
  }

  private async fold(microbatch: number, { leaves }: OpenMicrobatch, leaf: OpenLeaf): Promise<void> {
    const { bucket, use, arena } = leaf;
    leaves.delete(leaf);
    const tree = this.trees.get(bucket)!;
    await tree.insert(arena, leafIndex(use, microbatch, this.range.of));
    await this.count(bucket, tree, 1);
  }

  /** So many leaves are through. */
  private async count(bucket: Bucket, tree: GradientTree<FlatArena>, leaves: number): Promise<void> {
    const left = this.left.get(bucket)! - leaves;
    this.left.set(bucket, left);
    if (left === 0) await this.whenWhole(bucket, tree);
  }
}
