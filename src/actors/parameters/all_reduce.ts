/**
 * An all-reduce sums gradients over a list of sharers; it is a message-driven state machine. Every piece of a bucket has an owner
 * among the sharers, which folds the blocks of all in the tree of `GradientTree`, so that the sum has the same bits for any
 * number of them, and sends it to the others. A bucket's pieces go out as soon as its own leaves are whole.
 */
import type { Device, FlatArena, Tensor } from '../../kernels/device.ts';
import { floats } from '../../kernels/dtype.ts';
import { PIECES_UNDER_WAY, type Piece } from '../../topology/index.ts';
import { dataOf, payload } from '../protocol/pass.ts';
import type { BlockMessage, SumMessage } from '../protocol/reduce.ts';
import type { Bucket } from './bucket.ts';
import { BucketSum } from './bucket_sum.ts';
import type { Block } from './gradient_tree.ts';
import type { Sharing } from './sharing.ts';

/** How a sharer reaches the others, by rank. What is sent is copied before the call returns: its memory is written over. */
export interface Replicas {
  block(rank: number, message: BlockMessage): void;
  sum(rank: number, message: SumMessage): void;
}

/** The pieces that one other sharer owns, in the order in which they are sent to it. */
interface Queue {
  readonly rank: number;
  readonly pieces: readonly { readonly sum: BucketSum; readonly piece: Piece }[];
  sent: number;
  underWay: number;
}

/**
 * At most `PIECES_UNDER_WAY` pieces of one sharer are with one owner: its sum of a piece lets the next one go. That cannot
 * deadlock. All sharers have the same pieces in the same order for each owner, and a sharer makes its leaves whatever sums it
 * waits for. Take the first piece in that order of which the owner has no sum: each sharer has had the sum of all pieces before
 * it, or will without anybody's help, so that the piece is among those that it may send, and it does once it has its own leaves.
 */
export class AllReduce {
  private readonly sharing: Sharing;
  private readonly replicas: Replicas;
  private readonly sums: ReadonlyMap<string, BucketSum>;
  private readonly queues: readonly Queue[];
  private readonly spare: Tensor[] = [];
  private readonly atOnce: number;

  /** `atOnce`: pieces that are under way to one owner at most, never more than the sharing has room for. */
  constructor(device: Device, sharing: Sharing, replicas: Replicas, atOnce = PIECES_UNDER_WAY) {
    const { buckets, sharers, rank } = sharing;
    this.sharing = sharing;
    this.replicas = replicas;
    this.atOnce = atOnce;
    this.spare.push(...sharing.rooms);
    const sums = buckets.map((bucket) => new BucketSum(device, sharing, bucket, this.spare));
    this.sums = new Map(sums.map((sum) => [sum.bucket.plan.name, sum]));
    this.queues = sharers.flatMap((_, other) => {
      if (other === rank) return [];
      const pieces = sums.flatMap((sum) =>
        sum.pieces.filter(({ owner }) => owner === other).map((piece) => ({ sum, piece })),
      );
      return [{ rank: other, pieces, sent: 0, underWay: 0 }];
    });
  }

  /** Whether every bucket is summed. */
  get isWhole(): boolean {
    return [...this.sums.values()].every((sum) => sum.isWhole);
  }

  /** Gives this sharer's blocks of a bucket. The sum is written over the first; all are this object's until `take`. */
  async contribute(bucket: Bucket, blocks: readonly Block<FlatArena>[]): Promise<void> {
    const sum = this.sumOf(bucket.plan.name);
    for (const piece of await sum.open(blocks)) await this.tell(sum, piece);
    await this.send();
  }

  async onBlock({ bucket, part, values, level, index }: BlockMessage): Promise<void> {
    const sum = this.sumOf(bucket);
    const piece = sum.ownPiece(part);
    const isSummed = await sum.receive(piece, floats('block', dataOf(values)), { level, index });
    if (isSummed) await this.tell(sum, piece);
  }

  async onSum({ bucket, part, owner, values }: SumMessage): Promise<void> {
    this.sumOf(bucket).lay(part, owner, floats('sum', dataOf(values)));
    for (const queue of this.queues) if (queue.rank === owner) queue.underWay -= 1;
    await this.send();
  }

  /** The summed gradients, where every bucket is whole. They are given out once. */
  take(): [Bucket, FlatArena][] {
    for (const queue of this.queues) queue.sent = 0;
    return [...this.sums.values()].map((sum) => [sum.bucket, sum.take()]);
  }

  /** Forgets a sum that is not complete, and gives back its memory. */
  abandon(): void {
    for (const sum of this.sums.values()) sum.abandon();
    this.spare.splice(0, this.spare.length, ...this.sharing.rooms);
    for (const queue of this.queues) [queue.sent, queue.underWay] = [0, 0];
  }

  /** Sends the pieces whose turn it is, as far as their owners have room. Reads that are asked for together come together. */
  private async send(): Promise<void> {
    const ready = this.queues.flatMap((queue) => {
      const due: { readonly rank: number; readonly sum: BucketSum; readonly piece: Piece }[] = [];
      while (queue.underWay < this.atOnce && queue.pieces.at(queue.sent)?.sum.isOpen === true) {
        due.push({ rank: queue.rank, ...queue.pieces[queue.sent] });
        queue.sent += 1;
        queue.underWay += 1;
      }
      return due.flatMap((piece) => piece.sum.blocks.map((block) => ({ ...piece, block })));
    });
    const read = await Promise.all(ready.map(({ sum, piece, block }) => sum.read(block, piece)));
    for (const [i, { rank, sum, piece, block }] of ready.entries()) {
      const { level, index } = block;
      const values = payload(read[i], [read[i].length]);
      const { name } = sum.bucket.plan;
      this.replicas.block(rank, { bucket: name, part: piece.part, level, index, values });
    }
  }

  /** Tells the others the sum of an own piece. */
  private async tell(sum: BucketSum, piece: Piece): Promise<void> {
    const read = await sum.read(sum.blocks[0], piece);
    const values = payload(read, [read.length]);
    const { name } = sum.bucket.plan;
    for (const { rank } of this.queues) {
      this.replicas.sum(rank, { bucket: name, part: piece.part, owner: piece.owner, values });
    }
  }

  private sumOf(bucket: string): BucketSum {
    const sum = this.sums.get(bucket);
    if (sum === undefined) throw new RangeError(`no bucket ${bucket} is shared by ${this.sharing.sharers.join(', ')}`);
    return sum;
  }
}
