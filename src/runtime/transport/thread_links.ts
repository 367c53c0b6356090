/**
 * The channels of one thread to all others, and what waits in them. A count of mail in shared memory says how many
 * messages the thread has been sent, so that a look at it costs one atomic load.
 */

import { receiveMessageOnPort } from 'node:worker_threads';
import { ThreadLink, type ThreadNotice } from './thread_link.ts';
import { MAIL_STRIDE, type ThreadSeat } from './thread_mesh.ts';

export class ThreadLinks {
  readonly #index: number;
  readonly #links: (ThreadLink | null)[];
  readonly #mail: Int32Array;
  /** Messages received; equal to the count of mail when none wait. */
  #taken = 0;
  /** The channel that is looked through first; it moves on, so that a busy one does not starve others. */
  #first = 0;

  constructor({ index, ports, pools, mail }: ThreadSeat) {
    this.#index = index;
    this.#mail = new Int32Array(mail);
    this.#links = ports.map((port, i) => (port === null ? null : new ThreadLink(i, port, pools[i], this.#mail)));
  }

  /** Those that are open. */
  get open(): readonly ThreadLink[] {
    return this.#links.filter((link) => link !== null);
  }

  /** Messages that wait. */
  get waiting(): number {
    return (Atomics.load(this.#mail, MAIL_STRIDE * this.#index) - this.#taken) | 0;
  }

  /** The channel to `thread`; null if it is closed. */
  to(thread: number): ThreadLink | null {
    return this.#links[thread];
  }

  /** Forgets the channel to `thread`, and returns it. */
  drop(thread: number): ThreadLink | null {
    const link = this.#links[thread];
    this.#links[thread] = null;
    return link;
  }

  /** To be called for each message that came. */
  took(): void {
    this.#taken = (this.#taken + 1) | 0;
  }

  /** Tells all threads but `except`. */
  broadcast(notice: ThreadNotice, except: number): void {
    for (const link of this.#links) if (link !== null && link.thread !== except) link.postNotice(notice);
  }

  /** Hands over up to `most` of the messages that wait. */
  drain(most: number, take: (link: ThreadLink, message: unknown) => void): void {
    const { length } = this.#links;
    const start = this.#first++ % length;
    let left = most;
    for (let i = 0; i < length && left > 0; i++) {
      const link = this.#links[(start + i) % length];
      if (link === null) continue;
      for (let next = receiveMessageOnPort(link.port); next !== undefined; next = receiveMessageOnPort(link.port)) {
        take(link, next.message);
        left -= 1;
        if (left === 0) break;
      }
    }
  }
}
