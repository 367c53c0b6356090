/**
 * The sum of a gradient over the replicas of a role (data-parallel ranks), as a message-driven state machine. Every
 * chunk of a flat arena has an owner replica; it folds the blocks of all in the tree of `GradientTree`, so that the sum
 * has the same bits for any number of replicas, and sends it to the others.
 */
import { floats } from '../../kernels/dtype.ts';
import type { Device } from '../../kernels/device.ts';
import { chunkRange } from '../../topology/index.ts';
import { GradientTree, type Block } from './gradient_tree.ts';
import type { Gradient } from './parameter_set.ts';
import { dataOf, payload } from '../protocol/pass.ts';
import type { BlockMessage, SumMessage } from '../protocol/reduce.ts';

/** How a replica reaches the others, by rank. What is sent is copied before the call returns: its memory is written over. */
export interface Replicas {
  block(rank: number, message: BlockMessage): void;
  sum(rank: number, message: SumMessage): void;
}

/** Values of an own chunk: of the block that the sum is written over as they lie there, else in a room kept for later steps. */
interface Part {
  readonly values: Float32Array;
  readonly isRoom: boolean;
}

interface Chunk {
  readonly tree: GradientTree<Part>;
  leaves: number;
}

/** The gradient that the sum is for, and its arenas as read: the sum is made there, then written to the device. */
interface Result {
  readonly gradient: Gradient;
  readonly flats: readonly Float32Array[];
}

export class AllReduce {
  private readonly device: Device;
  private readonly rank: number;
  private readonly ranks: number;
  private readonly leaves: number;
  private readonly lengths: readonly number[];
  private readonly replicas: Replicas;
  private readonly owned = new Map<number, Chunk>();
  /** Rooms that are free, by arena. */
  private readonly spare = new Map<number, Part[]>();
  private result: Result | null = null;
  /** Chunks of the result that are there. */
  private summed = 0;

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

  /**
   * Gives this replica's blocks. The sum is written over the first of them: a chunk of it is there only when its owner has
   * had that chunk of every block. The others are free when this resolves.
   */
  async contribute(step: number, blocks: readonly Block<Gradient>[]): Promise<void> {
    const flatsOfBlocks = await Promise.all(blocks.map(({ value }) => this.read(value)));
    this.result = { gradient: blocks[0].value, flats: flatsOfBlocks[0] };
    for (const [at, { level, index }] of blocks.entries()) {
      for (const [arena, length] of this.lengths.entries()) {
        const flat = flatsOfBlocks[at][arena];
        for (let chunk = 0; chunk < this.ranks; chunk++) {
          const values = flat.subarray(...chunkRange(length, this.ranks, chunk));
          if (chunk === this.rank) {
            const part = at === 0 ? { values, isRoom: false } : this.roomFor(arena, values);
            await this.fold(step, arena, part, level, index);
          } else
            this.replicas.block(chunk, { step, arena, chunk, level, index, values: payload(values, [values.length]) });
        }
      }
    }
  }

  async onBlock({ step, arena, values, level, index }: BlockMessage): Promise<void> {
    // What came is gone when its message is handled.
    await this.fold(step, arena, this.roomFor(arena, floats('block', dataOf(values))), level, index);
  }

  onSum({ arena, chunk, values }: SumMessage): void {
    this.conclude(arena, chunk, floats('sum', dataOf(values)));
  }

  /** The summed gradient once every chunk is there, else null. It is given out once. */
  take(): Gradient | null {
    if (this.result === null || this.summed < this.lengths.length * this.ranks) return null;
    const { gradient, flats } = this.result;
    for (const [arena, { flat }] of gradient.arenas.entries()) this.device.write(flat, flats[arena]);
    return this.abandon();
  }

  /** Forgets a sum that is not complete; returns the memory it was to be written to. */
  abandon(): Gradient | null {
    const { result } = this;
    this.owned.clear();
    this.result = null;
    this.summed = 0;
    return result?.gradient ?? null;
  }

  private async fold(step: number, arena: number, part: Part, level: number, index: number): Promise<void> {
    const give = (done: Part): void => {
      if (done.isRoom) this.spareOf(arena).push(done);
    };
    const chunk = this.owned.get(arena) ?? { tree: new GradientTree<Part>(addTo, give), leaves: 0 };
    this.owned.set(arena, chunk);
    await chunk.tree.insert(part, index, level);
    chunk.leaves += Math.min((index + 1) << level, this.leaves) - (index << level);
    if (chunk.leaves < this.leaves) return;
    this.owned.delete(arena);
    const sum = (await chunk.tree.root())!;
    // What is no room lies where the sum goes already.
    this.conclude(arena, this.rank, sum.isRoom ? sum.values : null);
    for (let rank = 0; rank < this.ranks; rank++) {
      if (rank === this.rank) continue;
      const values = payload(sum.values, [sum.values.length]);
      this.replicas.sum(rank, { step, arena, chunk: this.rank, values });
    }
    give(sum);
  }

  private roomFor(arena: number, values: Float32Array): Part {
    const room = this.spareOf(arena).pop() ?? { values: new Float32Array(values.length), isRoom: true };
    room.values.set(values);
    return room;
  }

  private spareOf(arena: number): Part[] {
    const spare = this.spare.get(arena) ?? [];
    this.spare.set(arena, spare);
    return spare;
  }

  /** A chunk is there: `sum` is laid at its place, null is there already. */
  private conclude(arena: number, chunk: number, sum: Float32Array | null): void {
    const [start] = chunkRange(this.lengths[arena], this.ranks, chunk);
    if (sum !== null) this.result!.flats[arena].set(sum, start);
    this.summed += 1;
  }

  /** On the CPU the device's own memory, so that a gradient is there once; elsewhere a copy. */
  private async read({ arenas }: Gradient): Promise<Float32Array[]> {
    const flats = await Promise.all(arenas.map(({ flat }) => this.device.read(flat)));
    return flats.map((flat) => floats('all_reduce', flat));
  }
}

function addTo({ values: into }: Part, { values: from }: Part): Promise<void> {
  for (let i = 0; i < into.length; i++) into[i] = into[i] + from[i];
  return Promise.resolve();
}
