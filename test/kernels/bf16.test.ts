/** bf16 packing, by bits: nearest even, one NaN, and a gradient that crosses rounded. */
import { afterAll, expect, it } from 'vitest';
import { CpuDevice, bf16, dynamic, f32, fromBf16, roundBf16, toBf16, trace, vjp } from '../../src/kernels/index.ts';
import { onDevice } from './kit.ts';

const device = new CpuDevice({ bytes: 2 ** 26 });
afterAll(() => device.close());
const run = onDevice(device);

const ofBits = (bits: readonly number[]): Float32Array => new Float32Array(Uint32Array.from(bits).buffer);
const bitsOf = (data: ArrayLike<number>): number[] => [...new Uint32Array(Float32Array.from(data).buffer)];

const rounded: readonly (readonly [string, number, number])[] = [
  ['one', 0x3f800000, 0x3f80],
  ['below half', 0x3f807fff, 0x3f80],
  ['half, to even below', 0x3f808000, 0x3f80],
  ['half, to even above', 0x3f818000, 0x3f82],
  ['above half', 0x3f808001, 0x3f81],
  ['minus zero', 0x80000000, 0x8000],
  ['the smallest denormal', 0x00000001, 0x0000],
  ['a denormal', 0x00018000, 0x0002],
  ['the largest finite number', 0x7f7fffff, 0x7f80],
  ['infinity', 0x7f800000, 0x7f80],
  ['minus infinity', 0xff800000, 0xff80],
  ['a quiet NaN', 0x7fc12345, 0x7fc0],
  ['a negative NaN', 0xffc00000, 0x7fc0],
  ['a signalling NaN', 0x7f800001, 0x7fc0],
];

const pack = trace('pack', { x: f32([dynamic('n', 65536)]) }, ({ x }) => ({ y: toBf16(x), z: roundBf16(x) }));
const unpack = trace('unpack', { x: bf16([65536]) }, ({ x }) => ({ y: fromBf16(x) }));

it.each(rounded)('rounds %s', async (_, from, to) => {
  const { y, z } = await run(
    pack,
    { x: new Float32Array(ofBits([from, ...new Array<number>(65535).fill(0)])) },
    { n: 1 },
  );
  expect([...y]).toEqual([to]);
  expect([...new Uint32Array(z.buffer, z.byteOffset, 1)]).toEqual([to * 2 ** 16]);
});

it('unpacks and packs every number again to its own bits', async () => {
  const every = Uint16Array.from({ length: 65536 }, (_, i) => i);
  const { y: wide } = await run(unpack, { x: every }, {});
  const { y: again } = await run(pack, { x: wide }, { n: 65536 });
  const isNan = (bits: number): boolean => (bits & 0x7fff) > 0x7f80;
  expect([...again]).toEqual([...every].map((bits) => (isNan(bits) ? 0x7fc0 : bits)));
});

it('rounds what crosses in both directions', async () => {
  const crossing = vjp(trace('crossing', { x: f32([4]) }, ({ x }) => ({ y: fromBf16(toBf16(x)), z: roundBf16(x) })));
  const x = ofBits([0x3f808001, 0x40490fdb, 0xc0000000, 0x7f800001]);
  const { y, z } = await run(crossing.forward, { x }, {});
  expect(bitsOf(y)).toEqual([0x3f810000, 0x40490000, 0xc0000000, 0x7fc00000]);
  expect(bitsOf(z)).toEqual(bitsOf(y));
  const { d_x } = await run(crossing.backward, { d_y: x, d_z: new Float32Array(4) }, {});
  expect(bitsOf(d_x)).toEqual(bitsOf(y));
});

it('gives a bf16 input a bf16 gradient', () => {
  const v = vjp(trace('receive', { x: bf16([4]) }, ({ x }) => ({ y: fromBf16(x) })));
  expect(v.backward.outputs.map((b) => b.value.type.dtype)).toEqual(['bf16']);
});
