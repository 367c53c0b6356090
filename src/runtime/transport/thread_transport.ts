/**
 * The transport of one thread of a node. Actors of this thread are reached as by the local transport, those of others
 * through the channel to their thread; tensors travel in the sender's shared slots and are read in place. One channel a
 * pair keeps the order of messages. Each thread has one system.
 *
 * A message to an address that nobody has announced goes nowhere. Before that is said, all channels are looked through
 * once more: an announcement that was made before this thread could learn of the address has then been read.
 */

import { receiveMessageOnPort } from 'node:worker_threads';
import type { Address } from '../system/address.ts';
import type { Envelope } from '../system/envelope.ts';
import { describeError, MalformedFrame, ProtocolError } from '../system/errors.ts';
import type { Endpoint } from '../system/transport_port.ts';
import { blank, Codec, type Encoded } from './codec.ts';
import { HeapFramePool } from './frame.ts';
import type { Gateway, NearTransport } from './gateway.ts';
import { LocalTransport } from './local.ts';
import { SharedFrame } from './shared_frame.ts';
import { SharedPool } from './shared_pool.ts';
import { ThreadArrivals } from './thread_arrivals.ts';
import { NOWHERE, ThreadDirectory } from './thread_directory.ts';
import { isNotice, ThreadLink, type ThreadNotice } from './thread_link.ts';
import { MAIL_STRIDE, type ThreadSeat } from './thread_mesh.ts';
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
  readonly #index: number;
  readonly #local: LocalTransport;
  readonly #codec: Codec;
  readonly #directory: ThreadDirectory;
  readonly #links: (ThreadLink | null)[];
  readonly #mail: Int32Array;
  readonly #small = new TextFrames();
  readonly #arrival = blank();
  #started = false;
  #endpoint: Endpoint | null = null;
  #gateway: Gateway | null = null;
  #bytes = 0;
  /** Messages received; equal to the count of mail when none wait. */
  #taken = 0;
  /** The channel that is looked through first; it moves on, so that a busy one does not starve others. */
  #firstLink = 0;

  constructor(seat: ThreadSeat) {
    const { index, names, pools, ports } = seat;
    this.#index = index;
    this.name = names[index];
    this.pool = new SharedPool(pools[index]);
    this.localPool = new HeapFramePool({ poison: pools[index].poison });
    this.arrivals = new ThreadArrivals(this.pool, this.localPool);
    this.#local = new LocalTransport({ pool: this.localPool });
    this.#codec = new Codec(this.pool);
    this.#directory = new ThreadDirectory(seat.placement);
    this.#mail = new Int32Array(seat.mail);
    this.#links = ports.map((port, i) => (port === null ? null : new ThreadLink(i, port, pools[i], this.#mail)));
  }

  /** Frames in use: sent by this thread and held by any, or passed between its own actors. */
  get leased(): number {
    return this.pool.leased + this.localPool.leased;
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
    for (const link of this.#links) {
      if (link === null) continue;
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
    const waiting = (Atomics.load(this.#mail, MAIL_STRIDE * this.#index) - this.#taken) | 0;
    if (waiting > 0) this.#drain(waiting);
  };

  /** `thread` is out of reach for good: asks to its actors are refused, their watchers are told, nothing is sent there. */
  lose(thread: number): void {
    const link = this.#links[thread];
    if (link === null) return;
    this.#links[thread] = null;
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
    this.#links.forEach((link, thread) => {
      this.#links[thread] = null;
      link?.port.close();
    });
  }

  #linkTo(address: Address): ThreadLink | null {
    let thread = this.#directory.find(address);
    if (thread === NOWHERE) {
      this.poll();
      thread = this.#directory.find(address);
    }
    return thread === NOWHERE ? null : this.#links[thread];
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
    for (const link of this.#links) if (link !== null && link.thread !== except) link.postNotice(notice);
  }

  #drain(waiting: number): void {
    const { length } = this.#links;
    const start = this.#firstLink++ % length;
    let left = waiting;
    for (let i = 0; i < length && left > 0; i++) {
      const link = this.#links[(start + i) % length];
      if (link === null) continue;
      for (let next = receiveMessageOnPort(link.port); next !== undefined; next = receiveMessageOnPort(link.port)) {
        this.#take(link, next.message);
        left -= 1;
        if (left === 0) break;
      }
    }
  }

  #take(link: ThreadLink, message: unknown): void {
    this.#taken = (this.#taken + 1) | 0;
    if (typeof message === 'string') this.#small.open(message, this.#arrival);
    else if (typeof message === 'number' || message instanceof Uint8Array) this.#openFrame(link, message);
    else return this.#note(link, message);
    this.#receive();
  }

  #openFrame(link: ThreadLink, message: number | Uint8Array): void {
    const { frame, length } = link.arrived(message);
    this.#arrival.bytes = frame.bytes;
    this.#arrival.view = frame.view;
    this.#arrival.length = length;
    this.#arrival.frame = frame;
  }

  #receive(): void {
    const endpoint = this.#endpoint;
    const { frame } = this.#arrival;
    // The system has stopped: its asks have been refused, and the senders hear that this thread closes.
    if (endpoint === null) return frame?.release();
    try {
      const route = this.#codec.routeOf(this.#arrival);
      const isHere = this.#gateway === null || this.#local.hosts(route.to);
      if (!isHere && this.#gateway?.forward(route, this.#arrival) === true) return frame?.release();
      endpoint.receive(this.#codec.decode(this.#arrival, route, endpoint, true));
    } catch (error) {
      if (!(error instanceof MalformedFrame)) throw error;
      endpoint.malformed(error);
    }
  }

  #note(link: ThreadLink, message: unknown): void {
    if (!isNotice(message)) {
      this.#endpoint?.malformed(new MalformedFrame(`${describeError(message)} is nothing that threads send`));
    } else if (message.kind === 'lost') this.lose(message.thread);
    else if (message.kind === 'started') this.#directory.add(message.address, link.thread);
    else this.#directory.remove(message.address, link.thread);
  }
}
