/** The actors that tests of threads place on worker threads, and the protocol by which tests speak to them. */

import { createHash } from 'node:crypto';
import { z } from 'zod';
import {
  ask,
  defineProtocol,
  refSchema,
  tell,
  tensorSchema,
  type Context,
  type Handlers,
  type Ref,
  type ReplyOf,
  type TensorPayload,
} from '../../../src/runtime/index.ts';

export const sinkProtocol = defineProtocol('thread-sink', {
  put: tell({ lane: 'data', args: z.object({ x: tensorSchema }) }),
  mark: tell({ lane: 'data', args: z.object({ n: z.number() }) }),
  note: tell({ args: z.object({ n: z.number() }) }),
  /** Keep what is put, until told to let go. */
  keep: ask(),
  letGo: ask(),
  /** Behind what was put before. */
  seen: ask({ lane: 'data', reply: z.array(z.string()) }),
  version: ask({ args: z.object({ version: z.number() }) }),
  echo: ask({ args: z.object({ x: tensorSchema }), reply: tensorSchema }),
});

export const workerProtocol = defineProtocol('test-worker', {
  /** Sends tensors of these many bytes to a sink and asks it what it has seen. */
  feed: ask({
    args: z.object({ to: refSchema(sinkProtocol), bytes: z.array(z.number()) }),
    reply: z.array(z.string()),
  }),
  /** Starts a sink of that address on this thread. */
  start: ask({ args: z.object({ address: z.string() }), reply: refSchema(sinkProtocol) }),
  end: ask({ args: z.object({ address: z.string() }) }),
  /** Spins until the test releases it; answers nothing before. */
  hang: ask(),
  /** Allocates until there is no more. */
  hoard: tell(),
  crash: tell({ args: z.object({ message: z.string() }) }),
  enter: ask({ fenced: false, args: z.object({ gen: z.number() }) }),
  version: ask({ args: z.object({ version: z.number() }) }),
  leased: ask({ reply: z.number() }),
});

/** `bytes` bytes of which each depends on its place and on `seed`, as f32 bits so that NaNs are among them. */
export function tensorOf(bytes: number, seed: number): TensorPayload {
  const data = new Float32Array(bytes / 4);
  const words = new Uint32Array(data.buffer);
  for (let i = 0; i < words.length; i++) words[i] = Math.imul(i + 1, 0x9e37_79b1) ^ Math.imul(seed + 1, 0x85eb_ca6b);
  return { dtype: 'f32', shape: [data.length], data };
}

/** Length and digest of a tensor's bytes. */
export function digestOf({ data }: TensorPayload): string {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return `${data.byteLength} ${createHash('sha256').update(bytes).digest('hex').slice(0, 16)}`;
}

/** Writes down the digests of what it is sent. */
export class Sink implements Handlers<typeof sinkProtocol> {
  readonly #seen: string[] = [];
  #releases: (() => void)[] = [];
  #keeps = false;

  put({ x }: { x: TensorPayload }, ctx: Context): void {
    this.#seen.push(digestOf(x));
    if (this.#keeps) this.#releases.push(ctx.hold());
  }
  mark({ n }: { n: number }): void {
    this.#seen.push(`mark ${n}`);
  }
  note({ n }: { n: number }): void {
    this.#seen.push(`note ${n}`);
  }
  keep(): void {
    this.#keeps = true;
  }
  letGo(): void {
    this.#keeps = false;
    for (const release of this.#releases) release();
    this.#releases = [];
  }
  version({ version }: { version: number }, ctx: Context): void {
    ctx.setParamsVersion(version);
  }
  seen(): ReplyOf<typeof sinkProtocol, 'seen'> {
    return this.#seen.splice(0);
  }
  echo({ x }: { x: TensorPayload }): TensorPayload {
    return x;
  }
}

export type SinkRef = Ref<typeof sinkProtocol>;
