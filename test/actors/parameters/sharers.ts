/**
 * Sharers of some parameters on one device, without actors: each writes leaves of numbers that are a function of their place,
 * and a post delivers what they send in an order drawn by a seed.
 */
import { AllReduce } from '../../../src/actors/parameters/all_reduce.ts';
import { useKey } from '../../../src/actors/parameters/holding.ts';
import { createShare, type ShareParts } from '../../../src/actors/parameters/share_parts.ts';
import type { BlockMessage, SumMessage } from '../../../src/actors/protocol/reduce.ts';
import type { Device, Slice } from '../../../src/kernels/device.ts';
import { floats } from '../../../src/kernels/dtype.ts';
import { elements } from '../../../src/kernels/shape.ts';
import type { Parameter } from '../../../src/models/parameter.ts';
import { unit } from '../../../src/runtime/testing/index.ts';
import { leafIndex } from '../../../src/topology/index.ts';
import { smallTopology } from '../kit.ts';

/** The leaves that a sharer makes: `count` microbatches of each of its uses. */
export interface SharerPlace {
  readonly first: number;
  readonly count: number;
  readonly uses: readonly number[];
}

export interface Sharer {
  readonly place: SharerPlace;
  readonly slice: Slice;
  readonly parts: ShareParts;
  readonly allReduce: AllReduce;
}

export interface SharersOptions {
  /** Of every parameter, by all sharers together. */
  readonly uses: number;
  readonly atOnce: number;
}

/** Numbers of very different sizes, so that the order of additions shows. */
const leafValue = (step: number, leaf: number, name: string, i: number): number =>
  Math.fround((unit(step, leaf, name.charCodeAt(0), i) - 0.5) * 2 ** (12 * unit(9, step, leaf, i)));

/** The definition: left half plus right half of the smallest power of two that holds all places; most have a leaf. */
function plainTree(leaves: ReadonlyMap<number, number>, size: number, first = 0): number | null {
  if (size === 1) return leaves.get(first) ?? null;
  const left = plainTree(leaves, size / 2, first);
  const right = plainTree(leaves, size / 2, first + size / 2);
  return left === null || right === null ? (left ?? right) : Math.fround(left + right);
}

const range = (length: number): number[] => Array.from({ length }, (_, i) => i);

export class Sharers {
  readonly all: readonly Sharer[];
  /** Messages so far, and the most pieces that one sharer had with one owner. */
  readonly sent = { blocks: 0, sums: 0, mostUnderWay: 0 };
  private readonly device: Device;
  private readonly parameters: readonly Parameter[];
  private readonly uses: number;
  private readonly microbatches: number;
  private post: (() => Promise<void>)[] = [];
  /** Pieces that are with an owner, by sharer and owner. */
  private readonly underWay = new Map<string, Set<string>>();

  private constructor(
    device: Device,
    parameters: readonly Parameter[],
    made: readonly Omit<Sharer, 'allReduce'>[],
    { uses, atOnce, microbatches }: SharersOptions & { microbatches: number },
  ) {
    this.device = device;
    this.parameters = parameters;
    this.uses = uses;
    this.microbatches = microbatches;
    this.all = made.map((sharer, rank) => {
      const { sharings, leaves } = sharer.parts;
      const replicas = {
        block: (to: number, message: BlockMessage) => this.sendBlock(rank, to, message),
        sum: (to: number, message: SumMessage) => this.sendSum(rank, to, message),
      };
      const allReduce = new AllReduce(device, sharings[0], replicas, atOnce);
      leaves.handTo((bucket, tree) => allReduce.contribute(bucket, tree.drain()));
      return { ...sharer, allReduce };
    });
  }

  static async create(
    device: Device,
    parameters: readonly Parameter[],
    places: readonly SharerPlace[],
    options: SharersOptions,
  ): Promise<Sharers> {
    const { optimizer } = smallTopology();
    const addresses = places.map((_, rank) => `sharer ${rank}`);
    const of = places.reduce((most, { first, count }) => Math.max(most, first + count), 0);
    const made: Omit<Sharer, 'allReduce'>[] = [];
    for (const [rank, place] of places.entries()) {
      const slice = device.slice(addresses[rank], 2 ** 28);
      const uses = { own: place.uses, of: options.uses };
      const holders = range(options.uses).map((use) => addresses.filter((_, i) => places[i].uses.includes(use)));
      const holdings = parameters.map((parameter) => ({
        parameter,
        sharers: addresses,
        uses,
        holders,
        learns: true,
      }));
      const share = { address: addresses[rank], holdings, range: { ...place, of }, alive: 4, optimizer, seed: 1 };
      made.push({ place, slice, parts: await createShare(device, slice, share) });
    }
    return new Sharers(device, parameters, made, { ...options, microbatches: of });
  }

  /** Every sharer makes its leaves, some before others; in between and at the end, messages arrive in any order. */
  async step(step: number, seed: number): Promise<void> {
    const order = [...this.all].sort((a, b) => this.drawn(seed, a) - this.drawn(seed, b));
    for (const [i, sharer] of order.entries()) {
      await this.write(sharer, step);
      await this.deliver(seed, i % 2 === 0 ? Infinity : 3);
    }
    await this.deliver(seed, Infinity);
  }

  /** A step of which so many messages arrive before all give it up. */
  async abandoned(seed: number, delivered: number): Promise<void> {
    for (const sharer of this.all) {
      await this.write(sharer, 99);
      await this.deliver(seed, delivered / this.all.length);
    }
    this.post = [];
    this.underWay.clear();
    for (const { parts, allReduce } of this.all) {
      parts.leaves.abandon();
      allReduce.abandon();
    }
  }

  /** Writes all leaves of a sharer, or those of some parameters. */
  async write({ place, parts }: Sharer, step: number, names = this.parameters.map(({ name }) => name)): Promise<void> {
    for (const microbatch of range(place.count).map((i) => place.first + i)) {
      const { views } = parts.leaves.open(microbatch);
      const keys: string[] = [];
      for (const use of [...place.uses].reverse()) {
        for (const name of names) {
          const key = useKey(name, use);
          const leaf = leafIndex(use, microbatch, this.microbatches);
          const length = views[key].bytes / 4;
          this.device.write(
            views[key],
            Float32Array.from({ length }, (_, i) => leafValue(step, leaf, name, i)),
          );
          keys.push(key);
        }
      }
      await parts.leaves.wrote(microbatch, keys);
    }
  }

  async deliver(seed: number, atMost: number): Promise<void> {
    for (let n = 0; n < atMost && this.post.length > 0; n++) {
      const [next] = this.post.splice(Math.floor(unit(seed, 2, n, this.post.length) * this.post.length), 1);
      await next();
    }
  }

  /** What every sharer has, by parameter in order; the next step begins. */
  async sums(): Promise<Float32Array[][]> {
    const sums: Float32Array[][] = [];
    for (const { parts, allReduce } of this.all) {
      const taken = allReduce.take();
      const views = Object.assign({}, ...taken.map(([, arena]) => arena.views)) as (typeof taken)[number][1]['views'];
      const read = await Promise.all(this.parameters.map(({ name }) => this.device.read(views[name])));
      sums.push(read.map((data) => floats('test', data.slice())));
      for (const [bucket, arena] of taken) {
        this.device.write(arena.flat, new Float32Array(bucket.length).fill(NaN));
        bucket.giveGradient(arena);
      }
      parts.leaves.begin();
    }
    return sums;
  }

  expected(step: number): Float32Array[] {
    const places = range(this.uses).flatMap((use) =>
      range(this.microbatches).map((microbatch) => leafIndex(use, microbatch, this.microbatches)),
    );
    const size = 2 ** Math.ceil(Math.log2(Math.max(...places) + 1));
    return this.parameters.map(({ name, shape }) =>
      Float32Array.from({ length: elements(shape) }, (_, i) => {
        return plainTree(new Map(places.map((leaf) => [leaf, leafValue(step, leaf, name, i)])), size)!;
      }),
    );
  }

  release(): void {
    for (const { slice } of this.all) slice.release();
  }

  private drawn(seed: number, sharer: Sharer): number {
    return unit(seed, 1, this.all.indexOf(sharer));
  }

  private sendBlock(from: number, to: number, message: BlockMessage): void {
    this.sent.blocks++;
    const pieces = this.underWay.get(`${from} ${to}`) ?? new Set();
    this.underWay.set(`${from} ${to}`, pieces.add(`${message.bucket} ${message.part}`));
    this.sent.mostUnderWay = Math.max(this.sent.mostUnderWay, pieces.size);
    this.mail(message, (copy) => this.all[to].allReduce.onBlock(copy));
  }

  private sendSum(from: number, to: number, message: SumMessage): void {
    this.sent.sums++;
    this.mail(message, (copy) => {
      this.underWay.get(`${to} ${from}`)!.delete(`${message.bucket} ${message.part}`);
      return this.all[to].allReduce.onSum(copy);
    });
  }

  /** What is sent is what it is now: its sender may write over it, and the receiver's copy ends with the handler. */
  private mail<M extends BlockMessage | SumMessage>(message: M, handle: (copy: M) => Promise<void>): void {
    const data = floats('test', new Float32Array(message.values.data));
    this.post.push(async () => {
      await handle({ ...message, values: { dtype: 'f32', shape: message.values.shape, data } });
      data.fill(Number.NaN);
    });
  }
}
