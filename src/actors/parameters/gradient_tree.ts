/**
 * A gradient tree fixes the order in which gradients add up, whatever order they arrive in. A leaf is the gradient of one use by one
 * global microbatch, at the place that `leafIndex` gives it; leaves fold in a binary tree over these places, so a rank can fold its
 * own part early and the sum is the same bits for any number of ranks. A missing leaf is the identity; one that is known to be
 * missing lets its sibling fold on.
 */

/** A sum of the 2^level leaves that begin at index · 2^level. */
export interface Block<B> {
  readonly level: number;
  readonly index: number;
  readonly value: B;
}

export class GradientTree<B extends object | number> {
  /** Of null where all of its leaves are missing. */
  private readonly blocks = new Map<string, Block<B | null>>();
  private readonly add: (into: B, from: B) => Promise<void>;
  private readonly free: (value: B) => unknown;

  /** `add` sums `from` into `into`; `free` takes back what is no longer needed. */
  constructor(add: (into: B, from: B) => Promise<void>, free: (value: B) => unknown) {
    this.add = add;
    this.free = free;
  }

  /** Adds a leaf or a block, and folds as far as siblings are present. */
  async insert(value: B, index: number, level = 0): Promise<void> {
    await this.place({ level, index, value });
  }

  /** A leaf that never comes. */
  async skip(index: number): Promise<void> {
    await this.place({ level: 0, index, value: null });
  }

  /** Takes out the maximal blocks present, in index order. */
  drain(): Block<B>[] {
    const out = [...this.blocks.values()].sort((a, b) => a.index * 2 ** a.level - b.index * 2 ** b.level);
    this.blocks.clear();
    return out.flatMap(({ value, ...at }) => (value === null ? [] : [{ ...at, value }]));
  }

  /** Takes out the root: what is present folded as if missing leaves were zero. Null when there is nothing. */
  async root(): Promise<B | null> {
    while (this.blocks.size > 1) {
      // A block at the lowest level whose sibling will never come stands for its parent.
      const lowest = [...this.blocks.values()].reduce((a, b) => (b.level < a.level ? b : a));
      this.take(lowest.level, lowest.index);
      await this.place({ level: lowest.level + 1, index: lowest.index >> 1, value: lowest.value });
    }
    return this.drain()[0]?.value ?? null;
  }

  private async place(placed: Block<B | null>): Promise<void> {
    let block = placed;
    for (;;) {
      const sibling = this.take(block.level, block.index ^ 1);
      if (sibling === undefined) break;
      const [left, right] = block.index % 2 === 0 ? [block, sibling] : [sibling, block];
      const value = await this.sum(left.value, right.value);
      block = { level: block.level + 1, index: block.index >> 1, value };
    }
    this.blocks.set(key(block.level, block.index), block);
  }

  private async sum(left: B | null, right: B | null): Promise<B | null> {
    if (left === null || right === null) return left ?? right;
    await this.add(left, right);
    this.free(right);
    return left;
  }

  private take(level: number, index: number): Block<B | null> | undefined {
    const found = this.blocks.get(key(level, index));
    if (found !== undefined) this.blocks.delete(key(level, index));
    return found;
  }
}

const key = (level: number, index: number): string => `${level}/${index}`;
