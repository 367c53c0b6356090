/** What tests of the codec send: a message with a bit of everything, its protocol, and frames as another process has them. */

import { z } from 'zod';
import {
  ask,
  defineProtocol,
  refSchema,
  tensorSchema,
  type HeapFramePool,
  type TensorPayload,
} from '../../../src/runtime/index.ts';
import type { Delivery } from '../../../src/runtime/system/delivery.ts';
import type { Envelope, Route } from '../../../src/runtime/system/envelope.ts';
import type { Endpoint } from '../../../src/runtime/system/transport_port.ts';
import { Codec, type Encoded } from '../../../src/runtime/transport/codec.ts';
import { counterProtocol } from '../counter.ts';

const forwarded = z.object({
  step: z.number(),
  rows: tensorSchema,
  note: z.string().nullable().exactOptional(),
  named: z.record(z.string(), tensorSchema).exactOptional(),
  listed: z.array(z.union([tensorSchema, z.object({ lease: z.number(), shape: z.array(z.number()) })])).exactOptional(),
});

export const packedProtocol = defineProtocol('packed', {
  forward: ask({ args: forwarded, reply: forwarded }),
  meet: ask({ args: z.object({ who: refSchema(counterProtocol) }) }),
  /** Whatever is plain. */
  swap: ask({ args: z.unknown(), reply: z.unknown() }),
});

export const route: Route = {
  v: 2,
  kind: 'ask',
  lane: 'data',
  fenced: true,
  to: 'run/expert-1-3',
  from: 'run/router-1',
  senderIncarnation: 3,
  message: 'forward',
  protocol: 'packed',
};

export const floats = (...data: number[]): TensorPayload => ({
  dtype: 'f32',
  shape: [data.length],
  data: Float32Array.from(data),
});

export const envelope = (change: Partial<Envelope> = {}): Envelope => ({
  route,
  gen: 7,
  paramsVersion: 12,
  id: 2 ** 40 + 5,
  replyTo: 0,
  remainingMs: 1234.5,
  askChain: ['trainer', 'stage'],
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  args: { step: 3, rows: floats(1, 2, 3), named: { a: { dtype: 'i32', shape: [1, 2], data: Int32Array.of(-1, 5) } } },
  ...change,
});

/** What is sent to a message that takes whatever is plain. */
export const plain = (args: unknown): Envelope => envelope({ route: { ...route, message: 'swap' }, args });

export const endpoint: Endpoint = {
  outside: '@test',
  receive: () => undefined,
  malformed: () => undefined,
  lost: () => undefined,
  revive: (_, address, protocol) => ({ address, protocol: { name: protocol } }),
};

/** The bytes of an encoded frame, alone in memory of their own. */
export function apart({ bytes, length, frame }: Encoded): Uint8Array<ArrayBuffer> {
  const alone = Uint8Array.from(bytes.subarray(0, length));
  frame?.release();
  return alone;
}

/** Decodes as another process does, which trusts nothing. */
export const decodeAlone = (codec: Codec, bytes: Uint8Array<ArrayBuffer>): Delivery =>
  codec.decode({ bytes, view: new DataView(bytes.buffer), length: bytes.length, frame: null }, null, endpoint, false);

/** What arrives in another process of what is sent. */
export const arrived = (pool: HeapFramePool, sent: Envelope): Delivery =>
  decodeAlone(new Codec(pool), apart(new Codec(pool).encode(sent, true)));
