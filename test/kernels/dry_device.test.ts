/** A device that measures only: the bytes of the cpu device, without its memory and without its sessions. */
import { afterAll, expect, it } from 'vitest';
import {
  attention,
  CpuDevice,
  dynamic,
  f32,
  matmul,
  relu,
  trace,
  vjp,
  weight,
  type Device,
} from '../../src/kernels/index.ts';
import { DryDevice } from '../../src/kernels/cpu/dry_device.ts';

const cpu = new CpuDevice({ bytes: 2 ** 24 });
afterAll(() => cpu.close());

const rows = dynamic('rows', 100);
const program = trace('expert', { x: f32([rows, 32]), up: weight([64, 32]) }, ({ x, up }) => ({
  y: relu(matmul(x, up, { transposeB: true })),
}));
const { forward, backward } = vjp(program);

/** Takes and compiles as an actor would. */
async function take(device: Device): Promise<unknown> {
  const slice = device.slice('expert-0', 2 ** 24);
  const values = slice.arena('parameters', { up: [64, 32], bias: [3] });
  const scratch = [(await device.compile(forward)).scratchBytes];
  const x = slice.tensor('rows', 'bf16', [100, 32]);
  scratch.push((await device.compile(backward)).scratchBytes);
  slice.tensor('empty', 'i32', [0]);
  return {
    scratch,
    used: slice.usedBytes,
    flat: values.flat.shape,
    views: Object.entries(values.views).map(([name, view]) => [name, view.shape, view.bytes]),
    x: [x.dtype, x.shape, x.bytes],
  };
}

it('takes what the cpu device takes', async () => {
  const dry = new DryDevice();
  expect(await take(dry)).toEqual(await take(cpu));
  expect(dry.memory.usedBytes).toBe(cpu.usedBytes);
  expect(dry.slices.map(({ owner, taken }) => [owner, taken.map(({ what }) => what)])).toEqual([
    ['expert-0', ['parameters', 'rows', 'empty']],
  ]);
});

it('never refuses, however much is asked', () => {
  const slice = new DryDevice().slice('expert-0', 1);
  slice.tensor('rows', 'f32', [2 ** 20, 2 ** 20]);
  expect(slice.usedBytes).toBe(2 ** 42);
});

it('books what is alike as often as it is said', () => {
  const asked = (dry: DryDevice, many: (count: number, make: () => void) => void): DryDevice => {
    many(3, () => {
      const slice = dry.slice('expert', 2 ** 24);
      slice.arena('parameters', { up: [64, 32] });
      many(5, () => slice.tensor('rows', 'bf16', [100, 32]));
    });
    return dry;
  };
  const one = new DryDevice();
  asked(one, (count, make) => {
    one.dry.begin(count);
    make();
    one.dry.end();
  });
  const each = asked(new DryDevice(), (count, make) => Array.from({ length: count }).forEach(make));
  expect(one.memory.usedBytes).toBe(each.memory.usedBytes);
  expect(one.slices.flatMap(({ alike, usedBytes }) => Array.from({ length: alike }).fill(usedBytes))).toEqual(
    each.slices.map(({ usedBytes }) => usedBytes),
  );
});

it('holds no data and runs nothing', async () => {
  const dry = new DryDevice();
  await expect(dry.read()).rejects.toThrow('a dry device holds no data');
  await expect((await dry.compile(forward)).run({})).rejects.toThrow('a dry device runs nothing');
});

it('measures attention over 128 Ki tokens, whose scratch grows with their number and not with its square', async () => {
  const scratchOf = async (tokens: number): Promise<readonly number[]> => {
    const heads = f32([1, 1, tokens, 16]);
    const causal = trace('attention', { q: heads, k: heads, v: heads }, ({ q, k, v }) => ({
      o: attention({ q, k, v }, { causal: true }),
    }));
    const dry = new DryDevice();
    const { forward: there, backward: back } = vjp(causal);
    return [(await dry.compile(there)).scratchBytes, (await dry.compile(back)).scratchBytes];
  };
  const [half, whole] = [await scratchOf(2 ** 16), await scratchOf(2 ** 17)];
  // First fit leaves holes: 0.2 % of them.
  whole.forEach((bytes, at) => expect(bytes / half[at]).toBeCloseTo(2, 2));
});
