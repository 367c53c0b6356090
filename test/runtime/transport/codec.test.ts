import { expect, test } from 'vitest';
import { NO_CHAIN, type Envelope, type Route } from '../../../src/runtime/system/envelope.ts';
import { MalformedFrame } from '../../../src/runtime/system/errors.ts';
import { mix } from '../../../src/runtime/testing/index.ts';
import { createLocalSystem, tensorSchema } from '../../../src/runtime/index.ts';
import { Codec } from '../../../src/runtime/transport/codec.ts';
import { HeapFramePool } from '../../../src/runtime/transport/frame.ts';
import { placesIn } from '../../../src/runtime/transport/places.ts';
import { putBack } from '../../../src/runtime/transport/put_back.ts';
import { alignUp, placeBytes } from '../../../src/runtime/transport/wire.ts';
import { counterProtocol } from '../counter.ts';
import { apart, arrived, decodeAlone, endpoint, envelope, floats, plain, route } from './codec_kit.ts';

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
  const rows = { dtype: 'f32', shape: [3], data: scratch } as const;
  const named = {
    b: { dtype: 'u8', shape: [1], data: Uint8Array.of(9) },
    c: floats(),
    d: { dtype: 'u16', shape: [2, 1], data: Uint16Array.of(4, 5) },
  } as const;
  const sent = envelope({ args: { step: 1, rows, named } });
  const delivery = codec.decode(codec.encode(sent, false), route, endpoint, true);
  scratch.fill(0);
  expect(delivery.args).toEqual({ step: 1, rows: floats(1, 2, 3), named });
  const arrays = arraysIn(delivery.args);
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
  const rows = { dtype: 'f32', shape: [3], data } as const;
  const bytes = { dtype: 'u8', shape: [1], data: Uint8Array.of(9) } as const;
  for (const args of [undefined, { step: 1, rows }, { step: 1, rows, named: { none: floats(), bytes, more: rows } }]) {
    const pieces = codec.gather(envelope({ args }));
    expect(pieces.filter(({ buffer }) => buffer === data.buffer).length).toBe(
      arraysIn(args).filter((x) => x === data).length,
    );
    const gathered = Buffer.concat(pieces);
    expect(fields(decodeAlone(codec, Uint8Array.from(gathered)))).toEqual(fields(envelope({ args })));
    expect(gathered.length).toBe(new Codec(new HeapFramePool()).encode(envelope({ args }), true).length);
  }
});

test('args that pack beyond the limit are refused before they are sent', () => {
  const codec = new Codec(new HeapFramePool());
  const args = { text: 'x'.repeat((16 << 20) + 1) };
  expect(() => codec.encode(plain(args), false)).toThrow("args: 'swap' packs to 16777");
});

// Memory that nothing touches is never had.
test.each([2 ** 30, 2 ** 31 - 32, 2 ** 31])('a tensor of %d bytes is refused before it is sent', (bytes) => {
  const codec = new Codec(new HeapFramePool());
  const sent = envelope({ args: { step: 1, rows: { dtype: 'u8', shape: [bytes], data: new Uint8Array(bytes) } } });
  expect(() => codec.encode(sent, false)).toThrow(
    `${Math.ceil(bytes / 64) * 64} bytes of tensors, a frame holds 1073741824`,
  );
});

test('a place in a frame is the next multiple of 64 bytes, above 2^31 too', () => {
  expect([0, 1, 64, 65, 2 ** 31 - 1, 2 ** 31, 2 ** 31 + 1].map(alignUp)).toEqual([
    ...[0, 64, 64, 128, 2 ** 31, 2 ** 31, 2 ** 31 + 64],
  ]);
  expect([0, 1, 2 ** 31 - 1].map(placeBytes)).toEqual([64, 64, 2 ** 31]);
});

test.each(['to', 'from', 'message', 'protocol'])('a route whose %s has control characters is malformed', (name) => {
  const codec = new Codec(new HeapFramePool());
  const hostile: Route = { ...route, [name]: 'a\u001b[2Jb' };
  const bytes = apart(codec.encode(envelope({ route: { ...hostile, kind: 'error' }, args: undefined }), true));
  expect(() => decodeAlone(codec, bytes)).toThrow('frame: a route that does not say who, to whom or what');
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

test('refs and tensors are put back wherever the table has them, and nowhere else', () => {
  const pool = new HeapFramePool();
  const system = createLocalSystem();
  const who = system.ref(counterProtocol, 'a/counter');
  const lease = { lease: 3, shape: [1, 2] };
  const args = { step: 1, rows: floats(4), listed: [floats(5), lease] };
  expect(arrived(pool, envelope({ args })).args).toEqual(args);
  const met = arrived(pool, envelope({ route: { ...route, message: 'meet' }, args: { who } }));
  expect(met.args).toEqual({ who: { address: 'a/counter', protocol: { name: 'counter' } } });
  const lookalike = { dtype: 'f32', shape: [1], data: 0, address: 'a', protocol: 'counter' };
  expect(arrived(pool, plain(lookalike)).args).toEqual(lookalike);
});

test.each([
  ['outside of the frame', { shape: [2 ** 20] }, 'a tensor at 0, 4194304 bytes, lies outside of 64 bytes'],
  ['between two places', { data: 4 }, 'a tensor that says no place'],
  ['of no dtype', { dtype: 'f16' }, 'a tensor of no dtype that is known'],
  ['of a negative size', { shape: [-1] }, 'a tensor without a shape'],
  ['of no shape', { shape: null }, 'a tensor without a shape'],
])('a tensor %s is malformed', (_, change, message) => {
  const forged = { dtype: 'f32', shape: [3], data: 0, ...change };
  const tensors = { bytes: new Uint8Array(128), start: 64, length: 64, isCopied: false };
  const places = placesIn(tensorSchema);
  expect(places === null ? null : () => putBack(forged, places, tensors, () => null)).toThrow(`frame: ${message}`);
});

/** All tensors' data in args, in order. */
function arraysIn(args: unknown): ArrayBufferView[] {
  if (ArrayBuffer.isView(args)) return [args];
  return typeof args === 'object' && args !== null ? Object.values(args).flatMap(arraysIn) : [];
}
