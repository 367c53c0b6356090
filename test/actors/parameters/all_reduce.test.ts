/** The sum over replicas is the plain tree over all leaves, bit for bit, however many ranks and whoever speaks first. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AllReduce } from '../../../src/actors/parameters/all_reduce.ts';
import { GradientTree } from '../../../src/actors/parameters/gradient_tree.ts';
import type { Gradient } from '../../../src/actors/parameters/parameter_set.ts';
import type { BlockMessage, SumMessage } from '../../../src/actors/protocol/reduce.ts';
import { CpuDevice } from '../../../src/kernels/cpu/device.ts';
import type { Device, Slice } from '../../../src/kernels/device.ts';
import { floats } from '../../../src/kernels/dtype.ts';
import { unit } from '../../../src/runtime/testing/index.ts';
import { RemoteDevice } from '../../kernels/remote_device.ts';

let device: Device;
let slice: Slice;

const range = (length: number): number[] => Array.from({ length }, (_, i) => i);

/** Two arenas, of which no rank count but 2 and 4 divides the lengths; the second is shorter than some rank counts. */
const shapes = [{ a: [5, 13], b: [16] }, { c: [2] }];

function gradient(valueAt: (arena: number, i: number) => number): Gradient {
  const arenas = shapes.map((shape) => slice.arena('gradient', shape));
  for (const [at, arena] of arenas.entries()) {
    device.write(
      arena.flat,
      Float32Array.from({ length: arena.flat.shape[0] }, (_, i) => valueAt(at, i)),
    );
  }
  return { arenas, views: {} };
}

const valuesOf = async (of: Gradient): Promise<number[][]> =>
  (await Promise.all(of.arenas.map(({ flat }) => device.read(flat)))).map((flat) => [...flat]);

/** Numbers of very different sizes, so that the order of additions shows. */
const leafValue = (step: number, leaf: number, arena: number, i: number): number =>
  (unit(step, leaf, arena, i) - 0.5) * 2 ** (12 * unit(9, step, leaf, i));

/** The definition: left half plus right half of the smallest power of two that holds all leaves. */
function plainTree(
  leaves: readonly number[],
  first = 0,
  size = 2 ** Math.ceil(Math.log2(leaves.length)),
): number | null {
  if (first >= leaves.length) return null;
  if (size === 1) return leaves[first];
  const left = plainTree(leaves, first, size / 2);
  const right = plainTree(leaves, first + size / 2, size / 2);
  return left === null || right === null ? (left ?? right) : Math.fround(left + right);
}

const expectedOf = (step: number, leaves: number, like: Gradient): number[][] =>
  like.arenas.map(({ flat }, arena) =>
    range(flat.shape[0]).map((i) =>
      plainTree(range(leaves).map((leaf) => Math.fround(leafValue(step, leaf, arena, i))))!,
    ),
  );

/** Replicas over a post that delivers in an order drawn by `seed`. */
class Sharers {
  readonly replicas: readonly AllReduce[];
  private readonly post: (() => void | Promise<void>)[] = [];

  constructor(ranks: number, leaves: number, lengths: readonly number[]) {
    this.replicas = range(ranks).map((rank) => {
      return new AllReduce(device, { rank, ranks, leaves }, lengths, {
        block: (to, message) => this.send(message, (copy) => this.replicas[to].onBlock(copy)),
        sum: (to, message) => this.send(message, (copy) => this.replicas[to].onSum(copy)),
      });
    });
  }

  /** What is sent is what it is now: its sender may write over it, and the receiver's copy ends with the handler. */
  private send<M extends BlockMessage | SumMessage>(message: M, deliver: (copy: M) => void | Promise<void>): void {
    const data = floats('test', new Float32Array(message.values.data));
    this.post.push(async () => {
      await deliver({ ...message, values: { dtype: 'f32', shape: message.values.shape, data } });
      data.fill(Number.NaN);
    });
  }

  /** Each rank folds its own leaves and contributes; then and in between, messages arrive in any order. */
  async sum(step: number, each: number, seed: number): Promise<(Gradient | null)[]> {
    for (const rank of range(this.replicas.length).sort((a, b) => unit(seed, 1, a) - unit(seed, 1, b))) {
      const own = new GradientTree<Gradient>(addTo, () => undefined);
      for (const i of range(each)) {
        const leaf = rank * each + i;
        await own.insert(
          gradient((arena, at) => leafValue(step, leaf, arena, at)),
          leaf,
        );
      }
      const blocks = own.drain();
      await this.replicas[rank].contribute(step, blocks);
      for (const { value } of blocks.slice(1))
        for (const { flat } of value.arenas) device.write(flat, new Float32Array(flat.shape[0]).fill(NaN));
      await this.deliver(seed, rank % 2 === 0 ? Infinity : 3);
    }
    await this.deliver(seed, Infinity);
    return this.replicas.map((replica) => replica.take());
  }

  private async deliver(seed: number, atMost: number): Promise<void> {
    for (let n = 0; n < atMost && this.post.length > 0; n++) {
      const [next] = this.post.splice(Math.floor(unit(seed, 2, n, this.post.length) * this.post.length), 1);
      await next();
    }
  }
}

async function addTo(into: Gradient, from: Gradient): Promise<void> {
  for (const [at, { flat }] of into.arenas.entries()) {
    const [target, source] = await Promise.all([device.read(flat), device.read(from.arenas[at].flat)]);
    device.write(
      flat,
      target.map((value, i) => value + source[i]),
    );
  }
}

describe.each([
  ['gives views of its memory', CpuDevice],
  ['gives copies', RemoteDevice],
])('the sum over replicas, by a device that %s,', (_, Kind) => {
  beforeAll(() => {
    device = new Kind({ bytes: 2 ** 20 });
    slice = device.slice('test', 2 ** 20);
  });
  afterAll(() => device.close());

  it.each([
    [1, 4],
    [2, 1],
    [2, 3],
    [3, 1],
    [3, 2],
    [4, 1],
    [4, 3],
  ])('of %i ranks with %i microbatches each is the plain tree, at every rank', async (ranks, each) => {
    for (let seed = 0; seed < 3; seed++) {
      const lengths = gradient(() => 0).arenas.map(({ flat }) => flat.shape[0]);
      const sharers = new Sharers(ranks, ranks * each, lengths);
      // Two steps by the same replicas: nothing of the first may stay.
      for (const step of [0, 1]) {
        const sums = await sharers.sum(step, each, seed + 10 * step);
        for (const sum of sums) {
          expect(sum).not.toBeNull();
          expect(await valuesOf(sum!)).toEqual(expectedOf(step, ranks * each, sum!));
        }
      }
      slice.release();
    }
  });

  it('is not given out before every chunk is there, and then once', async () => {
    const lengths = gradient(() => 0).arenas.map(({ flat }) => flat.shape[0]);
    const lone = new Sharers(2, 2, lengths);
    const [first] = lone.replicas;
    expect(first.take()).toBeNull();
    await first.contribute(0, [{ level: 0, index: 0, value: gradient(() => 1) }]);
    expect(first.take()).toBeNull();
    slice.release();

    // In the next step, too, the sums of the last one do not count.
    const pair = new Sharers(2, 1, lengths);
    await pair.sum(0, 1, 0);
    expect(pair.replicas.map((replica) => replica.take())).toEqual([null, null]);
    await pair.replicas[0].contribute(1, [{ level: 0, index: 0, value: gradient(() => 1) }]);
    expect(pair.replicas[0].take()).toBeNull();
    slice.release();
  });
});
