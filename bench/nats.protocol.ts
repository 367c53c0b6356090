/** What the actors of the NATS benchmark tell and ask each other: a source, which sends, and a sink, which takes. */

import { z } from 'zod';
import { ask, defineProtocol, tell, tensorSchema, type Context, type Ref, type Reply } from '../src/runtime/index.ts';
import type { TensorPayload } from '../src/runtime/index.ts';

export const sinkProtocol = defineProtocol('bench-sink', {
  put: tell({ lane: 'data', args: z.object({ x: tensorSchema }) }),
  /** Answers when that many more have been put than in the bursts before. */
  burst: ask({ args: z.object({ messages: z.number() }) }),
});

export const sourceProtocol = defineProtocol('bench-source', {
  /** Sends tensors of `bytes` bytes to the sink at `to`; answers when all have been put. */
  feed: ask({ args: z.object({ to: z.string(), bytes: z.number(), messages: z.number() }) }),
});

export const TIMEOUT_MS = 60_000;
/** What a source has under way is twice this at most: a quarter of the server's `max_pending`, as credits would have it. */
const BURST_BYTES = 8 * 2 ** 20;

const tensors = new Map<number, TensorPayload>();

/** Sends `messages` tensors of `bytes` bytes each to `sink`, as fast as it takes them. */
export async function feed(sink: Ref<typeof sinkProtocol>, bytes: number, messages: number): Promise<void> {
  const x = tensors.get(bytes) ?? { dtype: 'f32', shape: [bytes / 4], data: new Float32Array(bytes / 4).fill(1.5) };
  tensors.set(bytes, x);
  const perBurst = BURST_BYTES / bytes;
  let before = Promise.resolve();
  for (let sent = 0; sent < messages; sent += perBurst) {
    for (let i = 0; i < perBurst; i++) sink.tell.put({ x });
    const burst = sink.ask.burst({ messages: perBurst }, { timeoutMs: TIMEOUT_MS });
    await before;
    before = burst;
  }
  await before;
}

/** Counts up to goals, which are set before or after they are reached and are met in turn. */
export class Goals {
  #reached = 0;
  readonly #goals: { readonly goal: number; readonly met: () => void }[] = [];

  add(amount: number): void {
    this.#reached += amount;
    this.#look();
  }

  set(goal: number, met: () => void): void {
    this.#goals.push({ goal, met });
    this.#look();
  }

  #look(): void {
    while (this.#goals.length > 0 && this.#reached >= this.#goals[0].goal) {
      this.#reached -= this.#goals[0].goal;
      this.#goals.shift()?.met();
    }
  }
}

/** An actor that counts what is put. */
export function createSink() {
  const goals = new Goals();
  return {
    put: () => goals.add(1),
    burst({ messages }: { messages: number }, ctx: Context): Reply<undefined> {
      const reply = ctx.defer<undefined>();
      goals.set(messages, () => reply.resolve(undefined));
      return reply;
    },
  };
}
