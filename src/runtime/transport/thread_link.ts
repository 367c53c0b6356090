/**
 * This thread's end of the channel to one other thread. What passes: a number (slot and length of a frame in the sender's
 * shared memory), a string (a small frame, a character a byte: four times as cheap to post as a typed array), a typed
 * array (a frame in ordinary memory, transferred), or a notice from transport to transport.
 */

import type { MessagePort } from 'node:worker_threads';
import type { Address } from '../system/address.ts';
import { NO_SLOT, type SharedFrame } from './shared_frame.ts';
import { SharedPool, type SharedMemory } from './shared_pool.ts';
import { MAIL_STRIDE } from './thread_mesh.ts';

/** What one transport tells another about the threads. */
export type ThreadNotice =
  | { readonly kind: 'started' | 'ended'; readonly address: Address }
  | { readonly kind: 'lost'; readonly thread: number };

/** Frames are shorter than this, so slot and length fit into one number. */
const LENGTHS = 2 ** 31;

export class ThreadLink {
  /** The thread at the other end. */
  readonly thread: number;
  readonly port: MessagePort;
  /** What that thread sends from. */
  readonly pool: SharedPool;
  readonly #mail: Int32Array;

  constructor(thread: number, port: MessagePort, memory: SharedMemory, mail: Int32Array) {
    this.thread = thread;
    this.port = port;
    this.pool = new SharedPool(memory);
    this.#mail = mail;
  }

  /** Sends the first `length` bytes of `frame` and hands it over. */
  postFrame(frame: SharedFrame, length: number): void {
    frame.handOver();
    if (frame.slot !== NO_SLOT) return this.#post(frame.slot * LENGTHS + length);
    const { buffer } = frame.bytes;
    this.#announce();
    if (buffer instanceof ArrayBuffer) this.port.postMessage(frame.bytes, [buffer]);
  }

  /** Sends a small frame, a character a byte. */
  postText(text: string): void {
    this.#post(text);
  }

  postNotice(notice: ThreadNotice): void {
    this.#post(notice);
  }

  /** The frame that has arrived as `message`, and its length in bytes. */
  arrived(message: number | Uint8Array): { readonly frame: SharedFrame; readonly length: number } {
    if (typeof message !== 'number') return { frame: this.pool.overflowed(message), length: message.length };
    const slot = Math.floor(message / LENGTHS);
    return { frame: this.pool.frame(slot), length: message - slot * LENGTHS };
  }

  #post(message: number | string | ThreadNotice): void {
    this.#announce();
    this.port.postMessage(message);
  }

  /** Before the message is posted: whoever sees the count finds at least as many messages. */
  #announce(): void {
    Atomics.add(this.#mail, MAIL_STRIDE * this.thread, 1);
  }
}

export function isNotice(message: unknown): message is ThreadNotice {
  return typeof message === 'object' && message !== null && 'kind' in message;
}
