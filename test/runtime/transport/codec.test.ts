import { expect, test } from 'vitest';
import type { Delivery } from '../../../src/runtime/system/delivery.ts';
import { NO_CHAIN, type Envelope, type Route } from '../../../src/runtime/system/envelope.ts';
import { MalformedFrame } from '../../../src/runtime/system/errors.ts';
import type { Endpoint } from '../../../src/runtime/system/transport_port.ts';
import { mix } from '../../../src/runtime/testing/index.ts';
import { Codec, type Encoded } from '../../../src/runtime/transport/codec.ts';
import { HeapFramePool } from '../../../src/runtime/transport/frame.ts';

const route: Route = {
  v: 1,
  kind: 'ask',
  lane: 'data',
  fenced: true,
  to: 'run/expert-1-3',
  from: 'run/router-1',
  senderIncarnation: 3,
  message: 'forward',
};

const endpoint: Endpoint = {
  outside: '@test',
  receive: () => undefined,
  malformed: () => undefined,
  lost: () => undefined,
  revive: (_, address) => ({ address }),
};

const envelope = (change: Partial<Envelope> = {}): Envelope => ({
  route,
  gen: 7,
  paramsVersion: 12,
  id: 2 ** 40 + 5,
  replyTo: 0,
  remainingMs: 1234.5,
  askChain: ['trainer', 'stage'],
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  args: { step: 3, rows: { dtype: 'f32', shape: [3], data: Float32Array.of(1, 2, 3) }, indices: Int32Array.of(-1, 5) },
  ...change,
});

/** The bytes of an encoded frame, alone in memory of their own. */
function apart({ bytes, length }: Encoded): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(bytes.subarray(0, length));
}

function decodeAlone(codec: Codec, bytes: Uint8Array<ArrayBuffer>): Delivery {
  return codec.decode(
    { bytes, view: new DataView(bytes.buffer), length: bytes.length, frame: null },
    null,
    endpoint,
    false,
  );
}

const fields = ({ route: r, gen, paramsVersion, id, replyTo, remainingMs, askChain, traceparent, args }: Envelope) => ({
  ...{ route: r, gen, paramsVersion, id, replyTo, remainingMs, askChain, traceparent, args },
});

test.each([
  ['with everything', envelope()],
  [
    'with nothing',
    envelope({ paramsVersion: null, remainingMs: null, askChain: NO_CHAIN, traceparent: null, args: undefined }),
  ],
  ['with version 0 and no time left', envelope({ paramsVersion: 0, remainingMs: 0, replyTo: 2 ** 53 - 1, id: 1 })],
])('an envelope %s arrives as it was sent, in another process too', (_, sent) => {
  const pool = new HeapFramePool();
  const encoded = new Codec(pool).encode(sent, true);
  const delivery = decodeAlone(new Codec(pool), apart(encoded));
  encoded.frame?.release();
  expect(fields(delivery)).toEqual(fields(sent));
  expect(pool.leased).toBe(0);
});

test('a frame for a receiver that knows the route leaves it out', () => {
  const codec = new Codec(new HeapFramePool());
  const bare = envelope({ paramsVersion: null, askChain: NO_CHAIN, traceparent: null, args: undefined });
  expect(codec.encode(bare, false).length).toBe(64);
  const delivery = codec.decode(codec.encode(bare, false), route, endpoint, true);
  expect(delivery.route).toBe(route);
});

test('the same route bytes are one route object', () => {
  const codec = new Codec(new HeapFramePool());
  const bytes = apart(codec.encode(envelope({ args: undefined }), true));
  const receiver = new Codec(new HeapFramePool());
  expect(decodeAlone(receiver, bytes).route).toBe(decodeAlone(receiver, bytes).route);
});

test('tensors lie in the frame at multiples of 64 bytes, one copy after the call', () => {
  const pool = new HeapFramePool();
  const codec = new Codec(pool);
  const scratch = Float32Array.of(1, 2, 3);
  const args = { a: scratch, b: Uint8Array.of(9), c: new Float64Array(0), d: Uint16Array.of(4, 5) };
  const delivery = codec.decode(codec.encode(envelope({ args }), false), route, endpoint, true);
  scratch.fill(0);
  expect(delivery.args).toEqual({
    a: Float32Array.of(1, 2, 3),
    b: Uint8Array.of(9),
    c: new Float64Array(0),
    d: Uint16Array.of(4, 5),
  });
  const arrays = Object.values(delivery.args ?? {}).filter((value): value is Uint8Array => ArrayBuffer.isView(value));
  expect(arrays.map(({ byteOffset }) => byteOffset % 64)).toEqual([0, 0, 0, 0]);
  expect(new Set(arrays.map(({ buffer }) => buffer)).size).toBe(1);
  expect(pool.leased).toBe(1);
  delivery.lease?.release();
  expect(pool.leased).toBe(0);
});

test('the tensors of an answer are copies and hold no frame', () => {
  const pool = new HeapFramePool({ poison: true });
  const codec = new Codec(pool);
  const reply: Route = { ...route, kind: 'reply' };
  const delivery = codec.decode(codec.encode(envelope({ route: reply }), false), reply, endpoint, true);
  expect([pool.leased, delivery.lease]).toEqual([0, null]);
  expect(delivery.args).toMatchObject({ rows: { data: Float32Array.of(1, 2, 3) } });
});

test('gathered pieces are the bytes of the encoded frame, with the tensors where they are', () => {
  const codec = new Codec(new HeapFramePool());
  const data = Float32Array.of(1, 2, 3);
  for (const args of [undefined, { data }, { data, none: new Float64Array(0), bytes: Uint8Array.of(9), more: data }]) {
    const pieces = codec.gather(envelope({ args }));
    expect(pieces.filter(({ buffer }) => buffer === data.buffer).length).toBe(
      Object.values(args ?? {}).filter((x) => x === data).length,
    );
    const gathered = Buffer.concat(pieces);
    expect(fields(decodeAlone(codec, Uint8Array.from(gathered)))).toEqual(fields(envelope({ args })));
    expect(gathered.length).toBe(new Codec(new HeapFramePool()).encode(envelope({ args }), true).length);
  }
});

test('args that pack beyond the limit are refused before they are sent', () => {
  const codec = new Codec(new HeapFramePool());
  const args = { text: 'x'.repeat((16 << 20) + 1) };
  expect(() => codec.encode(envelope({ args }), false)).toThrow("args: 'forward' packs to 16777");
});

test('random bytes are malformed, never a crash', () => {
  const codec = new Codec(new HeapFramePool());
  for (let seed = 0; seed < 3000; seed++) {
    const length = mix(seed, 1) % 200;
    const bytes = Uint8Array.from({ length }, (_, i) => mix(seed, 2, i) & 255);
    expect(() => decodeAlone(codec, bytes)).toThrow(MalformedFrame);
  }
});

test('a damaged frame decodes or is malformed, and its memory comes back', () => {
  const pool = new HeapFramePool();
  const codec = new Codec(pool);
  let malformed = 0;
  for (let seed = 0; seed < 6000; seed++) {
    const encoded = codec.encode(envelope(), true);
    const header = encoded.length - 128;
    for (let hit = 0; hit <= mix(seed, 1) % 3; hit++)
      encoded.bytes[mix(seed, 2, hit) % header] = mix(seed, 3, hit) & 255;
    if (seed % 5 === 0) encoded.length = mix(seed, 4) % encoded.length;
    try {
      codec.decode(encoded, null, endpoint, false).lease?.release();
    } catch (error) {
      expect(error).toBeInstanceOf(MalformedFrame);
      malformed += 1;
    }
    expect(pool.leased).toBe(0);
  }
  expect(malformed).toBeGreaterThan(3000);
});
