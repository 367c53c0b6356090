import { Packr, Unpackr } from 'msgpackr';
import { expect, test } from 'vitest';
import { Packer } from '../../../src/runtime/transport/packer.ts';
import { Unpacker } from '../../../src/runtime/transport/unpacker.ts';

const values: readonly unknown[] = [
  null,
  undefined,
  true,
  false,
  ...[0, 1, 127, 128, 255, 65536, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53, -1, -32, -33, -(2 ** 31), -(2 ** 40)],
  ...[0.5, -1.25e-300, Math.PI, NaN, Infinity, -Infinity, Number.MAX_VALUE, Number.MIN_VALUE],
  ...['', 'a', 'run/expert-1-3', 'x'.repeat(31), 'x'.repeat(32), 'ü', '日本語', '🙂'.repeat(20), 'x'.repeat(100_000)],
  [],
  [1, [2, [3, []]], 'four', null],
  {},
  { n: 1 },
  { a: { b: { c: [{ d: 'e' }] } }, ключ: true, u: undefined },
  Array.from({ length: 70_000 }, (_, i) => i),
  Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`key-${i}`, i])),
];

function packed(value: unknown, packer = new Packer()): Uint8Array {
  packer.clear(0);
  packer.write(value);
  return packer.bytes.slice(0, packer.position);
}

function unpacked(bytes: Uint8Array, unpacker = new Unpacker()): unknown {
  unpacker.open(bytes, new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0, 0, false);
  return unpacker.read(0, bytes.length);
}

test('what is packed comes out the same, again and again from the same buffers', () => {
  const [packer, unpacker] = [new Packer(16), new Unpacker()];
  for (let round = 0; round < 2; round++) {
    for (const value of values) expect(unpacked(packed(value, packer), unpacker)).toEqual(value);
  }
});

test('minus zero stays minus zero', () => {
  expect(unpacked(packed(-0))).toBe(-0);
});

test('msgpackr reads what is packed here', () => {
  const unpackr = new Unpackr({ useRecords: false, int64AsType: 'number' });
  for (const value of values) expect(unpackr.unpack(packed(value))).toEqual(value);
});

test('what msgpackr packs is read here', () => {
  const packr = new Packr({ useRecords: false, variableMapSize: true });
  for (const value of values) expect(unpacked(Uint8Array.from(packr.pack(value)))).toEqual(value);
});

test('nesting beyond the limit is refused on both sides', () => {
  const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)]);
  expect(unpacked(packed(nested(32)))).toEqual(nested(32));
  expect(() => packed(nested(33))).toThrow('nested deeper than 32');
  const bytes = new Uint8Array(1000).fill(0x91);
  expect(() => unpacked(bytes)).toThrow('frame: nested deeper than 32');
});

test.each([
  ['a function', () => 1, 'a function cannot travel'],
  ['a symbol', Symbol('s'), 'a symbol cannot travel'],
  ['a bigint', 1n, 'a bigint cannot travel'],
  ['a map', new Map(), 'an instance of Map cannot travel'],
  ['an array of another kind', new BigInt64Array(1), 'a BigInt64Array cannot travel'],
  ['half a character', 'x'.repeat(40) + '\ud800', 'a string with a lone surrogate cannot travel'],
])('%s is refused', (_, value, message) => {
  expect(() => packed({ value })).toThrow(`args: ${message}`);
});

test.each([
  ['a list longer than its bytes', [0xdd, 0xff, 0xff, 0xff, 0xff], 'a list or map is longer than its bytes'],
  ['a map longer than its bytes', [0xdf, 0x7f, 0xff, 0xff, 0xff], 'a list or map is longer than its bytes'],
  ['a string longer than its bytes', [0xdb, 0x00, 0xff, 0xff, 0xff], '16777215 bytes wanted, 0 left'],
  ['a value that ends early', [0x92, 0x01], 'a list or map is longer than its bytes'],
  ['a number that ends early', [0xcb, 0x01], '8 bytes wanted, 1 left'],
  ['a key that is no name', [0x81, 0x01, 0x01], 'a map key is no name'],
  ['a prototype', [0x81, 0xa9, ...Buffer.from('__proto__'), 0x80], 'a map key is no name'],
  ['bytes behind the value', [0x01, 0x02], '1 bytes left over after a value'],
  ['a type that is not used', [0xc1], 'type byte 0xc1 is not used here'],
  ['text that is no UTF-8', [0xa2, 0xc3, 0x28], 'a string is no UTF-8'],
  ['a ref where none belongs', [0xc9, 0, 0, 0, 4, 0x42, 0xa1, 0x61, 0xa1, 0x62], 'a ref to a where none belongs'],
])('%s is malformed', (_, bytes, message) => {
  expect(() => unpacked(Uint8Array.from(bytes))).toThrow(
    `frame: ${message}; the sender speaks another version or the bytes were damaged`,
  );
});
