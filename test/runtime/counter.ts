/** The small actors that the tests of the runtime share. */

import { z } from 'zod';
import { ask, defineProtocol, tell, type Context, type Handlers, type Reply } from '../../src/runtime/index.ts';

export const counterProtocol = defineProtocol('counter', {
  add: tell({ args: z.object({ n: z.number() }) }),
  bulk: tell({ lane: 'data', args: z.object({ n: z.number() }) }),
  get: ask({ reply: z.number() }),
  later: ask({ args: z.object({ key: z.string() }), reply: z.string() }),
  release: tell({ args: z.object({ key: z.string() }) }),
  fail: tell({ args: z.object({ message: z.string() }) }),
  refuse: ask({ args: z.object({ message: z.string() }), reply: z.number() }),
  version: tell({ args: z.object({ version: z.number() }) }),
});

/** Adds up; answers `later` when it is told to `release`. */
export class Counter implements Handlers<typeof counterProtocol> {
  sum = 0;
  readonly seen: string[] = [];
  readonly #held = new Map<string, Reply<string>>();

  add({ n }: { n: number }): void {
    this.sum += n;
    this.seen.push(`add ${n}`);
  }
  bulk({ n }: { n: number }): void {
    this.sum += n;
    this.seen.push(`bulk ${n}`);
  }
  get(): number {
    return this.sum;
  }
  later({ key }: { key: string }, ctx: Context): Reply<string> {
    const reply = ctx.defer<string>();
    this.#held.set(key, reply);
    return reply;
  }
  release({ key }: { key: string }): void {
    this.#held.get(key)?.resolve(`released ${key}`);
  }
  fail({ message }: { message: string }): void {
    throw new Error(message);
  }
  refuse({ message }: { message: string }): number {
    throw new RangeError(message);
  }
  version({ version }: { version: number }, ctx: Context): void {
    ctx.setParamsVersion(version);
  }
}
