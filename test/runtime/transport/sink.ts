/** An actor that keeps the number and digest of each tensor that is put into it, in order; and tensors to put. */

import { createHash } from 'node:crypto';
import { z } from 'zod';
import {
  ask,
  defineProtocol,
  tell,
  tensorSchema,
  type Context,
  type Handlers,
  type Reply,
  type TensorPayload,
} from '../../../src/runtime/index.ts';

export const sinkProtocol = defineProtocol('sink', {
  put: tell({ lane: 'data', args: z.object({ n: z.number(), x: tensorSchema }) }),
  echo: ask({ args: z.object({ x: tensorSchema }), reply: tensorSchema }),
  /** Answers with all that was put, when it is that many or more. */
  await: ask({ args: z.object({ count: z.number() }), reply: z.string() }),
});

export class Sink implements Handlers<typeof sinkProtocol> {
  /** `<n>:<digest>` each. */
  readonly seen: string[] = [];
  #waiting: { readonly count: number; readonly act: () => void }[] = [];

  put({ n, x }: { n: number; x: TensorPayload }): void {
    this.seen.push(entry(n, x));
    const isDue = ({ count }: { count: number }): boolean => this.seen.length >= count;
    const due = this.#waiting.filter(isDue);
    this.#waiting = this.#waiting.filter((waiting) => !isDue(waiting));
    for (const { act } of due) act();
  }

  echo({ x }: { x: TensorPayload }): TensorPayload {
    return x;
  }

  await({ count }: { count: number }, ctx: Context): Reply<string> {
    const reply = ctx.defer<string>();
    void this.reached(count).then(() => reply.resolve(this.seen.join(' ')));
    return reply;
  }

  /** Resolves when that many or more were put. */
  reached(count: number): Promise<void> {
    if (this.seen.length >= count) return Promise.resolve();
    return new Promise((act) => this.#waiting.push({ count, act }));
  }
}

/** What a sink keeps of tensor `x` with number `n`. */
export const entry = (n: number, x: TensorPayload): string => `${n}:${digest(x)}`;

export const digest = ({ data }: TensorPayload): string =>
  createHash('sha256')
    .update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    .digest('hex')
    .slice(0, 16);

export const tensor = (length: number, seed: number): TensorPayload => ({
  dtype: 'f32',
  shape: [length],
  data: Float32Array.from({ length }, (_, i) => Math.fround(Math.sin(seed + i))),
});
