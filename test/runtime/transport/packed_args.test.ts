import { Packr } from 'msgpackr';
import { expect, test } from 'vitest';
import { HeapFramePool } from '../../../src/runtime/index.ts';
import { MalformedFrame } from '../../../src/runtime/system/errors.ts';
import { mix } from '../../../src/runtime/testing/index.ts';
import { Codec } from '../../../src/runtime/transport/codec.ts';
import { PackedCheck } from '../../../src/runtime/transport/packed_check.ts';
import { formatOf, ProtocolFormat, SYSTEM_FORMAT } from '../../../src/runtime/transport/protocol_format.ts';
import { structuresOf } from '../../../src/runtime/transport/structures.ts';
import { apart, arrived, envelope, floats, packedProtocol, plain } from './codec_kit.ts';

const values: readonly unknown[] = [
  null,
  undefined,
  true,
  false,
  ...[0, 1, 63, 64, 127, 128, 255, 65536, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53, -1, -32, -33, -(2 ** 31), -(2 ** 40)],
  ...[0.5, -1.25e-300, Math.PI, NaN, Infinity, -Infinity, Number.MAX_VALUE, Number.MIN_VALUE],
  ...['', 'a', 'run/expert-1-3', 'x'.repeat(31), 'x'.repeat(32), 'ü', '日本語', '🙂'.repeat(20), 'x'.repeat(100_000)],
  [],
  [1, [2, [3, []]], 'four', null],
  {},
  { n: 1 },
  { a: { b: { c: [{ d: 'e' }] } }, ключ: true, u: undefined },
  { step: 1, note: 'x' },
  { dtype: 'f32', shape: [1], data: 7 },
  Array.from({ length: 70_000 }, (_, i) => i),
  Object.fromEntries(Array.from({ length: 70_000 }, (_, i) => [`key-${i}`, i])),
];

const pool = new HeapFramePool();

test('plain values arrive in another process as they were sent, again and again', () => {
  for (let round = 0; round < 2; round++) {
    for (const value of values) expect(arrived(pool, plain({ value })).args).toEqual({ value });
  }
});

test('objects of the table travel without keys, whatever of their optional keys they have', () => {
  const text = (args: unknown): string =>
    Buffer.from(apart(new Codec(pool).encode(envelope({ args }), false))).toString();
  for (const optional of [{}, { note: 'n' }, { named: {} }, { note: null, named: {}, listed: [] }]) {
    const args = { step: 1, rows: floats(1), ...optional };
    expect(arrived(pool, envelope({ args })).args).toEqual(args);
    expect(['step', 'rows', 'dtype', ...Object.keys(optional)].filter((key) => text(args).includes(key))).toEqual([]);
  }
  const another = { rows: floats(1), step: 1 };
  expect(arrived(pool, envelope({ args: another })).args).toEqual(another);
  expect(text(another)).toContain('step');
});

test('the same table gives the same digest, and any other keys another', () => {
  const structures = structuresOf(packedProtocol);
  const digestOf = (changed: readonly (readonly string[])[]): number =>
    new ProtocolFormat(changed, packedProtocol).digest;
  expect(formatOf('packed')?.digest).toBe(digestOf(structures));
  expect(digestOf(structures.toReversed())).not.toBe(digestOf(structures));
  expect(digestOf([...structures, ['more']])).not.toBe(digestOf(structures));
  expect(formatOf('no such protocol')).toBeNull();
});

test('a message of a protocol with another table at its sender is malformed', () => {
  const bytes = Buffer.from(apart(new Codec(pool).encode(envelope({ args: undefined }), true)));
  const at = bytes.indexOf('packed') + 'packed'.length + 1;
  bytes[at] ^= 1;
  expect(() => decodeOf(bytes)).toThrow("frame: the sender has another table of protocol 'packed'");
});

const decodeOf = (bytes: Uint8Array): unknown => {
  const copy = Uint8Array.from(bytes);
  const encoded = { bytes: copy, view: new DataView(copy.buffer), length: copy.length, frame: null };
  return new Codec(pool).routeOf(encoded);
};

test('nesting beyond the limit is refused on both sides', () => {
  const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)]);
  expect(arrived(pool, plain(nested(32))).args).toEqual(nested(32));
  expect(() => arrived(pool, plain(nested(33)))).toThrow('nested deeper than 32');
  expect(() => unpacked(new Uint8Array(1000).fill(0x91))).toThrow('frame: nested deeper than 32');
});

test.each([
  ['a function', () => 1, 'a function cannot travel'],
  ['a symbol', Symbol('s'), 'a symbol cannot travel'],
  ['a bigint', 1n, 'a bigint cannot travel'],
  ['a map', new Map(), 'an instance of Map cannot travel'],
  ['an array of numbers that is in no tensor', new Float32Array(1), 'an instance of Float32Array cannot travel'],
])('%s is refused', (_, value, message) => {
  expect(() => arrived(pool, plain({ value }))).toThrow(`args: ${message}`);
});

test('a tensor whose data does not fit its shape is refused where it is sent', () => {
  const args = { step: 1, rows: { ...floats(1, 2), shape: [3] } };
  expect(() => arrived(pool, envelope({ args }))).toThrow(
    'args: a tensor whose data is not what its dtype and shape say',
  );
});

const unpacked = (bytes: Uint8Array): unknown => SYSTEM_FORMAT.unpack(bytes, 0, bytes.length, false);

test.each([
  ['a list longer than its bytes', [0xdd, 0xff, 0xff, 0xff, 0xff], 'a list or map is longer than its bytes'],
  ['a map longer than its bytes', [0xdf, 0x7f, 0xff, 0xff, 0xff], 'a list or map is longer than its bytes'],
  ['a string longer than its bytes', [0xdb, 0x00, 0xff, 0xff, 0xff], '16777215 bytes wanted, 0 left'],
  ['a value that ends early', [0x92, 0x01], 'a list or map is longer than its bytes'],
  ['a record that ends early', [0x40, 0x01], 'a list or map is longer than its bytes'],
  ['a record that is not known', [0x60, 0x01], 'a record of structure 32, which is not known'],
  ['a number that ends early', [0xcb, 0x01], '8 bytes wanted, 1 left'],
  ['a key that is no name', [0x81, 0x01, 0x01], 'a map key is no name'],
  ['bytes behind the value', [0x01, 0x02], '1 bytes left over after a value'],
  ['a type that is not used', [0xc1], 'type byte 0xc1 is not used here'],
  ['bytes that are no tensor', [0xc4, 0x01, 0x00], 'type byte 0xc4 is not used here'],
  ['a number of 64 bits', [0xcf, 0, 0, 0, 0, 0, 0, 0, 0], 'type byte 0xcf is not used here'],
  ['a definition of a record', [0xd4, 0x72, 0x41, 0x91, 0xa1, 0x61, 0x01], 'extension 114 is not used here'],
  ['a set', [0xd4, 0x73, 0x00, 0x90], 'extension 115 is not used here'],
  ['a regular expression', [0xc7, 0x00, 0x78, 0x92, 0xa1, 0x61, 0xa0], 'type byte 0xc7 is not used here'],
  ['a pointer into the message', [0xd6, 0x70, 0, 0, 0, 0], 'type byte 0xd6 is not used here'],
])('%s is malformed', (_, bytes, message) => {
  expect(() => unpacked(Uint8Array.from(bytes))).toThrow(
    `frame: ${message}; the sender speaks another version or the bytes were damaged`,
  );
});

test('no key of another process is a prototype', () => {
  const value = unpacked(Uint8Array.from([0x81, 0xa9, ...Buffer.from('__proto__'), 0x81, 0xa1, 0x78, 0x01]));
  expect([Object.getPrototypeOf(value) === Object.prototype, Reflect.get(Object(value), 'x')]).toEqual([
    true,
    undefined,
  ]);
});

test('whatever bytes are let through are read to their end, and no array is larger than they are', () => {
  const structures = [['a', 'b'], ['c']];
  const check = new PackedCheck(structures);
  const packr = new Packr({ structures, maxSharedStructures: 2, maxOwnStructures: 0, mapsAsObjects: true });
  const whole = packr.pack([{ a: 1, b: 'two' }, { c: [1.5, null, { x: -7 }] }, 'three', [[[]]], 70_000]);
  let read = 0;
  for (let seed = 0; seed < 20_000; seed++) {
    const bytes = Uint8Array.from(whole);
    for (let hit = 0; hit <= mix(seed, 1) % 3; hit++) bytes[mix(seed, 2, hit) % bytes.length] = mix(seed, 3, hit) & 255;
    try {
      check.check(bytes, 0, bytes.length);
    } catch (error) {
      expect(error).toBeInstanceOf(MalformedFrame);
      continue;
    }
    expect(sizeOf(packr.unpack(bytes))).toBeLessThanOrEqual(bytes.length + 1);
    read += 1;
  }
  expect(read).toBeGreaterThan(4000);
});

/** How many values there are in `value`. */
function sizeOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1;
  return Object.values(value).reduce<number>((sum, field) => sum + sizeOf(field), 1);
}
