/**
 * A bucket sum makes the sum of one bucket's gradient at one of its sharers. Own pieces are folded here, in the tree of
 * `GradientTree` and on the device, from own blocks and from those that others send; the sums of all other pieces come from their owners. The result lies
 * over the first own block.
 */
import type { Device, FlatArena, Tensor } from '../../kernels/device.ts';
import { floats } from '../../kernels/dtype.ts';
import { leavesOf, piecesOf, type Piece } from '../../topology/index.ts';
import type { Bucket } from './bucket.ts';
import { GradientTree, type Block } from './gradient_tree.ts';
import { PIECE_ROW } from './optimizer_programs.ts';
import type { Sharing } from './sharing.ts';

/** What is added up of a piece, and where it lies: over the result, in another own block, or in a room. */
interface Part {
  tensor: Tensor;
  place: 'result' | 'own' | 'room';
}

/** An own piece that is being summed. */
interface Fold {
  readonly tree: GradientTree<Part>;
  leaves: number;
}

/** Places in the order in which a sum takes them. */
const places: readonly Part['place'][] = ['result', 'own', 'room'];

export class BucketSum {
  readonly bucket: Bucket;
  readonly pieces: readonly Piece[];
  private readonly device: Device;
  private readonly sharing: Sharing;
  /** Rooms that are free, of all buckets of the sharing. */
  private readonly spare: Tensor[];
  /** By own piece. */
  private readonly folds = new Map<Piece, Fold>();
  /** Tensors of pieces, by arena. */
  private readonly ranges = new WeakMap<FlatArena, ReadonlyMap<Piece, Tensor>>();
  private own: readonly Block<FlatArena>[] = [];
  private missing: number;

  constructor(device: Device, sharing: Sharing, bucket: Bucket, spare: Tensor[]) {
    this.device = device;
    this.sharing = sharing;
    this.bucket = bucket;
    this.spare = spare;
    this.pieces = piecesOf(bucket.length, sharing.sharers.length);
    this.missing = this.pieces.length;
  }

  /** Whether own blocks are there. */
  get isOpen(): boolean {
    return this.own.length > 0;
  }

  get isWhole(): boolean {
    return this.missing === 0;
  }

  get blocks(): readonly Block<FlatArena>[] {
    return this.own;
  }

  /** The own piece of a part. */
  ownPiece(part: number): Piece {
    const found = this.pieces.find((piece) => piece.part === part && piece.owner === this.sharing.rank);
    return found ?? this.unknown(part, this.sharing.rank);
  }

  /** Own blocks; answers the own pieces that they complete. */
  async open(blocks: readonly Block<FlatArena>[]): Promise<Piece[]> {
    this.own = blocks;
    const summed: Piece[] = [];
    for (const piece of this.pieces) {
      if (piece.owner !== this.sharing.rank) continue;
      for (const [i, { level, index, value }] of blocks.entries()) {
        const part: Part = { tensor: this.rangeOf(value, piece), place: i === 0 ? 'result' : 'own' };
        if (await this.fold(piece, part, level, index)) summed.push(piece);
      }
    }
    return summed;
  }

  /** A block of an own piece from another sharer; whether that completes the sum. */
  async receive(piece: Piece, values: Float32Array, { level, index }: Omit<Block<never>, 'value'>): Promise<boolean> {
    const tensor = this.spare.pop();
    if (tensor === undefined) throw new Error(`all rooms for blocks of ${this.bucket.plan.name} are taken`);
    this.device.write(tensor, values);
    return await this.fold(piece, { tensor, place: 'room' }, level, index);
  }

  /** The sum of a piece from its owner. */
  lay(part: number, owner: number, values: Float32Array): void {
    const piece = this.pieces.find((each) => each.part === part && each.owner === owner) ?? this.unknown(part, owner);
    this.device.write(this.own[0].value.flat, values, piece.start);
    this.missing -= 1;
  }

  /** What an own block holds of a piece, the sum's for the first where there is one. */
  async read(block: Block<FlatArena>, { start, end }: Piece): Promise<Float32Array> {
    return floats('gradients', await this.device.read(block.value.flat, end - start, start));
  }

  /** The summed gradient; the memory of other blocks is given back. The next sum begins. */
  take(): FlatArena {
    const [{ value }, ...others] = this.own;
    for (const block of others) this.bucket.giveGradient(block.value);
    this.own = [];
    this.missing = this.pieces.length;
    return value;
  }

  /** Forgets a sum and gives all its memory back; rooms are the caller's. */
  abandon(): void {
    for (const { value } of this.own) this.bucket.giveGradient(value);
    this.own = [];
    this.missing = this.pieces.length;
    this.folds.clear();
  }

  private async fold(piece: Piece, part: Part, level: number, index: number): Promise<boolean> {
    const rows = (piece.end - piece.start) / PIECE_ROW;
    const fold = this.folds.get(piece) ?? {
      tree: new GradientTree<Part>(
        (into, from) => this.add(into, from, rows),
        ({ tensor, place }) => place === 'room' && this.spare.push(tensor),
      ),
      leaves: 0,
    };
    this.folds.set(piece, fold);
    await fold.tree.insert(part, index, level);
    const { microbatches } = this.sharing;
    const { of } = this.bucket.plan.uses;
    fold.leaves += leavesOf(level, index, of, microbatches);
    if (fold.leaves < of * microbatches) return false;
    this.folds.delete(piece);
    // Own blocks are among the summands, so the sum lies over the first of them.
    await fold.tree.root();
    this.missing -= 1;
    return true;
  }

  /** a + b is b + a, so either may be written over: the one whose place is wanted longer. */
  private async add(into: Part, from: Part, rows: number): Promise<void> {
    if (places.indexOf(from.place) < places.indexOf(into.place)) {
      [into.tensor, from.tensor] = [from.tensor, into.tensor];
      [into.place, from.place] = [from.place, into.place];
    }
    await this.sharing.accumulate.run({ sum: into.tensor, addend: from.tensor }, { rows });
  }

  private rangeOf(arena: FlatArena, piece: Piece): Tensor {
    const known = this.ranges.get(arena) ?? this.rangesOf(arena);
    this.ranges.set(arena, known);
    return known.get(piece)!;
  }

  private rangesOf(arena: FlatArena): ReadonlyMap<Piece, Tensor> {
    const own = this.pieces.filter(({ owner }) => owner === this.sharing.rank);
    return new Map(own.map((piece) => [piece, arena.range(piece.start, piece.end - piece.start)]));
  }

  private unknown(part: number, owner: number): never {
    throw new RangeError(`bucket ${this.bucket.plan.name} has no part ${part} of rank ${owner}`);
  }
}
