/**
 * The transport of one thread of a node. Actors of this thread are reached as by the local transport, those of others
 * through the channel to their thread; tensors travel in the sender's shared slots and are read in place. One channel a
 * pair keeps the order of messages. Each thread has one system.
 *
 * A message to an address that nobody has announced goes nowhere. Before that is said, all channels are looked through
 * once more: an announcement that was made before this thread could learn of the address has then been read.
 */

import type { Address } from '../system/address.ts';
import type { Envelope, Route } from '../system/envelope.ts';
import { describeError, MalformedFrame, ProtocolError } from '../system/errors.ts';
import type { Endpoint } from '../system/transport_port.ts';
import { blank, Codec, type Encoded } from './codec.ts';
import { HeapFramePool } from './frame.ts';
import type { Gateway, NearTransport } from './gateway.ts';
import { LocalTransport } from './local.ts';
import { SharedFrame } from './shared_frame.ts';
import { SharedPool } from './shared_pool.ts';
import { Suspects } from './suspects.ts';
import { ThreadArrivals } from './thread_arrivals.ts';
import { NOWHERE, ThreadDirectory } from './thread_directory.ts';
import { isNotice, type ThreadLink, type ThreadNotice } from './thread_link.ts';
import { ThreadLinks } from './thread_links.ts';
import { threadsByAddress, type ThreadSeat } from './thread_mesh.ts';
import { TextFrames } from './thread_text.ts';
import { Flag, Stamp } from './wire.ts';

export class ThreadTransport implements NearTransport {
  /** The name of the thread, which should be the name of its system. */
  readonly name: string;
  /** What this thread sends from. */
  readonly pool: SharedPool;
  /** Frames between actors of this thread. */
  readonly localPool: HeapFramePool;
  readonly arrivals: ThreadArrivals;
  readonly #names: readonly string[];
  readonly #local: LocalTransport;
  readonly #codec: Codec;
  readonly #directory: ThreadDirectory;
  readonly #links: ThreadLinks;
  readonly #small = new TextFrames();
  readonly #arrival = blank();
  readonly #suspects = new Suspects();
  #started = false;
  #endpoint: Endpoint | null = null;
  #gateway: Gateway | null = null;
  #bytes = 0;

  constructor(seat: ThreadSeat) {
    const { index, names, pools } = seat;
    this.#names = names;
    this.name = names[index];
    this.pool = new SharedPool(pools[index]);
    this.localPool = new HeapFramePool({ poison: pools[index].poison });
    this.arrivals = new ThreadArrivals(this.pool, this.localPool);
    this.#local = new LocalTransport({ pool: this.localPool });
    this.#codec = new Codec(this.pool);
    this.#directory = new ThreadDirectory(seat.placement);
    this.#links = new ThreadLinks(seat);
  }

  /** Frames in use: sent by this thread and held by any, or passed between its own actors. */
  get leased(): number {
    return this.pool.leased + this.localPool.leased;
  }

  /** Messages that were dropped since their sender lives on another thread than they came from. */
  get misattributed(): number {
    return this.#suspects.count;
  }

  get bytesSent(): Readonly<Record<string, number>> {
    return { ...this.#local.bytesSent, thread: this.#bytes };
  }

  /** From now on messages are received; what came before has waited. Throws `ProtocolError` for a second system. */
  attach(endpoint: Endpoint): void {
    if (this.#started) throw new ProtocolError(this.name, 'has had a system; start one a thread');
    this.#started = true;
    this.#endpoint = endpoint;
    this.#local.attach(endpoint);
    this.#broadcast({ kind: 'started', address: endpoint.outside });
    for (const link of this.#links.open) {
      link.port.on('message', (message: unknown) => {
        this.#take(link, message);
        this.poll();
      });
      link.port.on('close', () => this.lose(link.thread));
    }
  }

  detach(endpoint: Endpoint): void {
    this.#local.detach(endpoint);
    this.#broadcast({ kind: 'ended', address: endpoint.outside });
    this.#endpoint = null;
  }

  register(address: Address, endpoint: Endpoint): void {
    this.#local.register(address, endpoint);
    this.#broadcast({ kind: 'started', address });
  }

  unregister(address: Address, endpoint: Endpoint): void {
    this.#local.unregister(address, endpoint);
    this.#broadcast({ kind: 'ended', address });
  }

  /** Also throws `MessageTooLarge` and `SlotsExhausted`. */
  send(envelope: Envelope): number {
    const localBytes = this.#local.send(envelope);
    if (localBytes > 0) return localBytes;
    const link = this.#linkTo(envelope.route.to);
    if (link === null) return 0;
    const encoded = this.#codec.encode(envelope, true);
    const { length } = encoded;
    this.#post(link, encoded);
    return length;
  }

  /**
   * From now on addresses are looked for where `placement` says, by the names of threads, unless a thread has announced
   * them. Throws `RangeError` for a thread that is not of this node.
   */
  place(placement: ReadonlyMap<Address, string>): void {
    this.#directory.place(threadsByAddress(this.#names, placement));
  }

  serve(gateway: Gateway): void {
    this.#gateway = gateway;
  }

  relay(to: Address, encoded: Encoded): boolean {
    const link = this.#linkTo(to);
    if (link === null) return false;
    const { view, frame } = encoded;
    view.setUint8(Stamp.flagsU8, Flag.foreign);
    const isReady = frame instanceof SharedFrame || view.getUint32(Stamp.arrayBytesU32, true) === 0;
    this.#post(link, isReady ? encoded : this.#inSlot(encoded));
    if (!(frame instanceof SharedFrame)) frame?.release();
    return true;
  }

  /** Takes in what has been sent until now; one atomic load if there is nothing. */
  readonly poll = (): void => {
    const { waiting } = this.#links;
    if (waiting > 0) this.#links.drain(waiting, (link, message) => this.#take(link, message));
  };

  /** `thread` is out of reach for good: asks to its actors are refused, their watchers are told, nothing is sent there. */
  lose(thread: number): void {
    const link = this.#links.drop(thread);
    if (link === null) return;
    this.#endpoint?.lost((address) => this.#directory.find(address) === thread);
    this.#directory.lose(thread);
    link.port.close();
  }

  /** Tells all other threads that `thread` is out of reach, and loses it. */
  announceLoss(thread: number): void {
    this.#broadcast({ kind: 'lost', thread }, thread);
    this.lose(thread);
  }

  /** Closes all channels; the other threads lose this one. */
  close(): void {
    this.poll();
    for (const { thread } of this.#links.open) this.#links.drop(thread)?.port.close();
  }

  #linkTo(address: Address): ThreadLink | null {
    let thread = this.#directory.find(address);
    if (thread === NOWHERE) {
      this.poll();
      thread = this.#directory.find(address);
    }
    return thread === NOWHERE ? null : this.#links.to(thread);
  }

  #post(link: ThreadLink, encoded: Encoded): void {
    const { length, frame } = encoded;
    this.#bytes += length;
    if (frame instanceof SharedFrame) link.postFrame(frame, length);
    else link.postText(this.#small.toText(encoded));
  }

  #inSlot({ bytes, length }: Encoded): Encoded {
    const frame = this.pool.lease(length);
    frame.bytes.set(bytes.subarray(0, length));
    return { bytes: frame.bytes, view: frame.view, length, frame };
  }

  #broadcast(notice: ThreadNotice, except = NOWHERE): void {
    this.#links.broadcast(notice, except);
  }

  #take(link: ThreadLink, message: unknown): void {
    this.#links.took();
    if (typeof message === 'string') this.#small.open(message, this.#arrival);
    else if (typeof message === 'number' || message instanceof Uint8Array) this.#openFrame(link, message);
    else return this.#note(link, message);
    this.#receive(link);
  }

  #openFrame(link: ThreadLink, message: number | Uint8Array): void {
    const { frame, length } = link.arrived(message);
    this.#arrival.bytes = frame.bytes;
    this.#arrival.view = frame.view;
    this.#arrival.length = length;
    this.#arrival.frame = frame;
  }

  #receive(link: ThreadLink): void {
    const endpoint = this.#endpoint;
    const { frame } = this.#arrival;
    // The system has stopped: its asks have been refused, and the senders hear that this thread closes.
    if (endpoint === null) return frame?.release();
    try {
      const route = this.#codec.routeOf(this.#arrival);
      if (this.#local.hosts(route.from) || !this.#directory.mayHost(route.from, link.thread)) {
        frame?.release();
        return this.#suspect(link, route);
      }
      const isHere = this.#gateway === null || this.#local.hosts(route.to);
      if (!isHere && this.#gateway?.forward(route, this.#arrival) === true) return frame?.release();
      endpoint.receive(this.#codec.decode(this.#arrival, route, endpoint, true));
    } catch (error) {
      if (!(error instanceof MalformedFrame)) throw error;
      endpoint.malformed(error);
    }
  }

  /** A thread speaks for its own actors, the node's main thread for those of other nodes too. */
  #suspect({ thread }: ThreadLink, route: Route): void {
    const error = this.#suspects.add(`thread ${this.#names[thread]}`, route.lane, route);
    if (error !== null) this.#endpoint?.malformed(error);
  }

  #note(link: ThreadLink, message: unknown): void {
    if (!isNotice(message)) {
      this.#endpoint?.malformed(new MalformedFrame(`${describeError(message)} is nothing that threads send`));
    } else if (message.kind === 'lost') this.lose(message.thread);
    else if (message.kind === 'started') this.#directory.add(message.address, link.thread);
    else this.#directory.remove(message.address, link.thread);
  }
}
