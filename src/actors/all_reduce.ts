/**
 * The sum of a gradient over the replicas of a role (data-parallel ranks), as a message-driven state machine. Every
 * chunk of a flat arena has an owner replica; it folds the blocks of all in the tree of `GradientTree`, so that the sum
 * has the same bits for any number of replicas, and sends it to the others.
 */
import { floats } from '../kernels/dtype.ts';
import type { Device, Tensor } from '../kernels/device.ts';
import { chunkRange } from '../topology/index.ts';
import { GradientTree, type Block } from './gradient_tree.ts';
import type { Gradient } from './parameter_set.ts';
import { dataOf, payload } from './protocol/pass.ts';
import type { BlockMessage, SumMessage } from './protocol/reduce.ts';

/** How a replica reaches the others, by rank. */
export interface Replicas {
  block(rank: number, message: BlockMessage): void;
  sum(rank: number, message: SumMessage): void;
}

interface Chunk {
  readonly tree: GradientTree<Float32Array>;
  leaves: number;
}

export class AllReduce {
  private readonly device: Device;
  private readonly rank: number;
  private readonly ranks: number;
  private readonly leaves: number;
  private readonly lengths: readonly number[];
  private readonly replicas: Replicas;
  private readonly owned = new Map<number, Chunk>();
  private readonly sums = new Map<string, Float32Array>();
  private result: Gradient | null = null;

  /** `leaves`: global microbatches of a step. `lengths`: elements of each flat arena. */
  constructor(
    device: Device,
    { rank, ranks, leaves }: { rank: number; ranks: number; leaves: number },
    lengths: readonly number[],
    replicas: Replicas,
  ) {
    this.device = device;
    this.rank = rank;
    this.ranks = ranks;
    this.leaves = leaves;
    this.lengths = lengths;
    this.replicas = replicas;
  }

  /** Gives this replica's blocks; the sum will be written to `into`. */
  async contribute(step: number, blocks: readonly Block<Gradient>[], into: Gradient): Promise<void> {
    for (const { level, index, value } of blocks) {
      for (const [arena, length] of this.lengths.entries()) {
        const flat = this.flat(value.arenas[arena].flat);
        for (let chunk = 0; chunk < this.ranks; chunk++) {
          const values = flat.subarray(...chunkRange(length, this.ranks, chunk));
          if (chunk === this.rank) await this.fold(step, arena, values, level, index);
          else
            this.replicas.block(chunk, { step, arena, chunk, level, index, values: payload(values, [values.length]) });
        }
      }
    }
    this.result = into;
  }

  async onBlock({ step, arena, values, level, index }: BlockMessage): Promise<void> {
    await this.fold(step, arena, floats('block', dataOf(values)), level, index);
  }

  onSum({ arena, chunk, values }: SumMessage): void {
    this.sums.set(`${arena}/${chunk}`, floats('sum', dataOf(values)).slice());
  }

  /** The summed gradient once every chunk is there, else null. It is given out once. */
  take(): Gradient | null {
    if (this.result === null || this.sums.size < this.lengths.length * this.ranks) return null;
    const result = this.result;
    for (const [arena, length] of this.lengths.entries()) {
      const flat = this.flat(result.arenas[arena].flat);
      for (let chunk = 0; chunk < this.ranks; chunk++) {
        flat.set(this.sums.get(`${arena}/${chunk}`)!, chunkRange(length, this.ranks, chunk)[0]);
      }
    }
    this.sums.clear();
    this.result = null;
    return result;
  }

  /** Forgets a sum that is not complete; returns the memory it was to be written to. */
  abandon(): Gradient | null {
    const { result } = this;
    this.owned.clear();
    this.sums.clear();
    this.result = null;
    return result;
  }

  private async fold(step: number, arena: number, values: Float32Array, level: number, index: number): Promise<void> {
    const chunk = this.owned.get(arena) ?? { tree: new GradientTree<Float32Array>(addTo, () => undefined), leaves: 0 };
    this.owned.set(arena, chunk);
    await chunk.tree.insert(values.slice(), index, level);
    chunk.leaves += Math.min((index + 1) << level, this.leaves) - (index << level);
    if (chunk.leaves < this.leaves) return;
    this.owned.delete(arena);
    const sum = (await chunk.tree.root())!;
    this.sums.set(`${arena}/${this.rank}`, sum);
    for (let rank = 0; rank < this.ranks; rank++) {
      if (rank === this.rank) continue;
      this.replicas.sum(rank, { step, arena, chunk: this.rank, values: payload(sum, [sum.length]) });
    }
  }

  private flat(tensor: Tensor): Float32Array {
    return floats('all_reduce', this.device.read(tensor));
  }
}

function addTo(into: Float32Array, from: Float32Array): Promise<void> {
  for (let i = 0; i < into.length; i++) into[i] = into[i] + from[i];
  return Promise.resolve();
}
