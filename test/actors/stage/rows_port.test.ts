/** Rows between tensors of actors, by value and by lease: the same bytes arrive, and a lease is redeemed once. */
import { afterAll, describe, expect, it } from 'vitest';
import { RowsPort } from '../../../src/actors/stage/rows_port.ts';
import type { Device, Slice, Tensor } from '../../../src/kernels/device.ts';
import type { DType } from '../../../src/kernels/dtype.ts';
import { CpuDevice } from '../../../src/kernels/index.ts';
import { RemoteDevice } from '../../kernels/remote_device.ts';
import { openDevice } from '../../kernels/webgpu/kit.ts';

const devices = {
  'a device that shares memory': new CpuDevice({ bytes: 2 ** 22 }),
  'a device that does not': new RemoteDevice({ bytes: 2 ** 22 }),
  'the webgpu device': await openDevice(),
};
afterAll(async () => {
  for (const device of Object.values(devices)) await device.close();
});

/** A port with a room for each of `buffers`, rows of four columns of f32 unless they say otherwise. */
function portOn(device: Device, ...buffers: readonly (readonly [rows: number, width?: number, dtype?: DType])[]) {
  const port = new RowsPort(device, (address) => address === 'here');
  const [slice, bufferSlice] = ['test', 'buffers'].map((owner) => device.slice(owner, 2 ** 20));
  for (const [rows, width = 4, dtype = 'f32'] of buffers) port.reserve(bufferSlice, dtype, [rows, width]);
  const release = (): void => [slice, bufferSlice].forEach((each) => each.release());
  return { port, slice, bufferSlice, release };
}

/** Row r of tensor `which` is 100 · which + r, in every column. */
function filled(device: Device, slice: Slice, which: number, { rows = 6, width = 4, dtype = 'f32' } = {}): Tensor {
  const isHalf = dtype === 'bf16';
  const tensor = slice.tensor(`t${which}`, isHalf ? 'bf16' : 'f32', [rows, width]);
  const data = isHalf ? new Uint16Array(rows * width) : new Float32Array(rows * width);
  device.write(
    tensor,
    data.map((_, i) => 100 * which + Math.floor(i / width)),
  );
  return tensor;
}

const rowsOf = async (device: Device, tensor: Tensor): Promise<number[]> => {
  const data = await device.read(tensor);
  const width = tensor.shape[1];
  return Array.from({ length: tensor.shape[0] }, (_, r) => data[r * width]);
};

for (const [name, device] of Object.entries(devices))
  describe(name, { tags: name === 'the webgpu device' ? ['webgpu'] : [] }, () => {
    it.each([
      ['here', 'f32', 4],
      ['here', 'bf16', 4],
      ['elsewhere', 'f32', 4],
      ['elsewhere', 'bf16', 4],
      // Rows of three halves do not begin at words, which a GPU could not even write.
      ...(device.kind === 'cpu' ? ([['here', 'bf16', 3]] as const) : []),
    ] as const)('brings rows of several tensors to others: %s, %s, %i wide', async (to, dtype, width) => {
      const { port, slice, bufferSlice, release } = portOn(device, [18, width, dtype]);
      const tensor = (which: number): Tensor => filled(device, slice, which, { dtype, width });
      const first = tensor(1);
      const [a, b] = [tensor(4), tensor(5)];
      const rows = await port.gather(
        [
          { tensor: first, at: 2, rows: 3 },
          { tensor: tensor(2), rows: 0 },
          { tensor: tensor(3), rows: 2 },
        ],
        to,
      );
      expect(rows.shape).toEqual([5, width]);
      const isLeased = !device.sharesMemory && to === 'here' && width === 4;
      expect('lease' in rows).toBe(isLeased);
      // What travels is what was there then.
      device.write(first, dtype === 'f32' ? new Float32Array(6 * width) : new Uint16Array(6 * width));
      port.scatter(rows, [
        { tensor: a, at: 4, rows: 1 },
        { tensor: b, at: 1, rows: 4 },
      ]);
      expect(await rowsOf(device, a)).toEqual([400, 401, 402, 403, 102, 405]);
      expect(await rowsOf(device, b)).toEqual([500, 103, 104, 300, 301, 505]);
      expect(bufferSlice.usedBytes > 0).toBe(!device.sharesMemory);
      release();
    });

    it.each(['here', 'elsewhere'])('lends rows, and keeps what is recalled as it was (%s)', async (to) => {
      const { port, slice, release } = portOn(device, [6], [6]);
      const [lender, target] = [filled(device, slice, 1), filled(device, slice, 2)];
      const ranges = [
        { tensor: lender, at: 2, rows: 3 },
        { tensor: lender, rows: 1 },
      ];
      const lent = await Promise.all(ranges.map(async (range) => port.keep(await port.lend(range, to))));
      expect(lent.every((rows) => 'lease' in rows)).toBe(to === 'here');
      port.scatter(lent[0], [{ tensor: target, at: 1, rows: 3 }]);
      await port.recall(lender);
      device.write(lender, new Float32Array(24));
      port.scatter(lent[1], [{ tensor: target, at: 5, rows: 1 }]);
      expect(await rowsOf(device, target)).toEqual([200, 102, 103, 104, 204, 100]);
      if (to === 'here') expect(() => port.scatter(lent[1], [{ tensor: target, rows: 1 }])).toThrow(/which has ended/);
      const last = await port.lend({ tensor: lender, rows: 1 }, to);
      port.abandon(to);
      if (to === 'here') expect(() => port.scatter(last, [{ tensor: target, rows: 1 }])).toThrow(/which has ended/);
      await port.recall(lender);
      release();
    });

    it('keeps rows beyond their message', async () => {
      const { port, slice, release } = portOn(device, [6]);
      const from = filled(device, slice, 1);
      const target = filled(device, slice, 2);
      const rows = await port.gather([{ tensor: from, rows: 6 }], 'here');
      const kept = port.keep(rows);
      if ('data' in rows) rows.data.fill(0);
      port.scatter(kept, [{ tensor: target, rows: 6 }]);
      expect(await rowsOf(device, target)).toEqual([100, 101, 102, 103, 104, 105]);
      release();
    });

    it('refuses rows of another count or precision', async () => {
      const { port, slice, release } = portOn(device, [6]);
      const from = filled(device, slice, 1);
      const rows = await port.gather([{ tensor: from, rows: 2 }], 'here');
      expect(() => port.scatter(rows, [{ tensor: from, rows: 3 }])).toThrow('2 rows came, and 3 were expected');
      const half = filled(device, slice, 2, { dtype: 'bf16' });
      expect(() => port.scatter(rows, [{ tensor: half, rows: 2 }])).toThrow(/precision|f32 into bf16/);
      release();
    });
  });

describe('a lease', () => {
  const device = devices['a device that does not'];

  it('ends when it is redeemed, and its memory serves the next', async () => {
    const { port, slice, release } = portOn(device, [6]);
    const tensor = filled(device, slice, 1);
    for (let i = 0; i < 4; i++) {
      const rows = await port.gather([{ tensor, rows: 1 + i }], 'here');
      expect(rows).toHaveProperty('lease');
      port.scatter(rows, [{ tensor, rows: 1 + i }]);
      expect(() => port.scatter(rows, [{ tensor, rows: 1 + i }])).toThrow(/which has ended/);
    }
    release();
  });

  it('is not given where all memory of its size is under way: rows then go by value', async () => {
    const { port, slice, release } = portOn(device, [6], [7]);
    const tensor = filled(device, slice, 1);
    const rows = await Promise.all([1, 2].map(() => port.gather([{ tensor, rows: 6 }], 'here')));
    expect(rows.map((each) => 'lease' in each)).toEqual([true, false]);
    expect(await port.gather([{ tensor, rows: 6 }], 'here', 7)).toHaveProperty('lease');
    release();
  });

  it('ends when the one that it is for drops what it holds', async () => {
    const { port, slice, release } = portOn(device, [6]);
    const tensor = filled(device, slice, 1);
    const first = await port.gather([{ tensor, rows: 6 }], 'here');
    port.abandon('another');
    port.scatter(first, [{ tensor, rows: 6 }]);
    const second = await port.gather([{ tensor, rows: 6 }], 'here');
    port.abandon('here');
    expect(() => port.scatter(second, [{ tensor, rows: 6 }])).toThrow(/which has ended/);
    expect(await port.gather([{ tensor, rows: 6 }], 'here')).toHaveProperty('lease');
    release();
  });
});
