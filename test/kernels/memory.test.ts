/** Budgets of slices, and memory that stays where it is while row counts vary. */
import { afterAll, expect, it } from 'vitest';
import {
  CpuDevice,
  OutOfSliceMemory,
  dynamic,
  f32,
  matmul,
  relu,
  trace,
  vjp,
  weight,
} from '../../src/kernels/index.ts';

const device = new CpuDevice({ bytes: 2 ** 28 });
afterAll(() => device.close());

it('refuses what a slice has no budget for, by owner, asked, used and budget', () => {
  const slice = device.slice('expert-3', 2 ** 20);
  slice.tensor('rows', 'f32', [1024, 128]);
  let error: unknown;
  try {
    slice.tensor('more rows', 'f32', [1024, 192]);
  } catch (thrown) {
    error = thrown;
  }
  slice.release();
  expect(error).toBeInstanceOf(OutOfSliceMemory);
  expect(error).toMatchObject({ owner: 'expert-3', askedBytes: 786432, usedBytes: 524288, budgetBytes: 1048576 });
  expect(String(error)).toContain(
    'expert-3: no room for more rows: asked 0.75 MiB, used 0.50 MiB of a budget of 1.00 MiB',
  );
});

it('gives a released slice back to others, zeroed', async () => {
  const all = 2 ** 22;
  const small = new CpuDevice({ bytes: all });
  const first = small.slice('a', all);
  small.write(first.tensor('x', 'f32', [all / 4]), new Float32Array(all / 4).fill(3));
  first.release();
  const second = small.slice('b', all);
  const again = await small.read(second.tensor('x', 'f32', [all / 4]));
  second.release();
  expect(again.every((x) => x === 0)).toBe(true);
});

it('holds its memory over 3,000 runs of varying row counts', async () => {
  const [D, F, most] = [32, 64, 256];
  const rows = dynamic('rows', most);
  const specs = { x: f32([rows, D]), up: weight([F, D]), down: weight([D, F]) };
  const { forward, backward } = vjp(
    trace('expert', specs, ({ x, up, down }) => ({
      y: matmul(relu(matmul(x, up, { transposeB: true })), down, { transposeB: true }),
    })),
  );
  const slice = device.slice('expert', 2 ** 24);
  const tensors = Object.fromEntries(
    [forward, backward].flatMap((p) =>
      [...p.inputs, ...p.outputs].map(({ name, value: { type } }) => {
        const shape = type.shape.map((dim) => (typeof dim === 'number' ? dim : dim.max));
        return [name, slice.tensor(name, type.dtype, shape)] as const;
      }),
    ),
  );
  const [run, runBack] = [await device.compile(forward), await device.compile(backward)];
  const runs = async (from: number, to: number): Promise<void> => {
    for (let i = from; i < to; i++) {
      const live = { rows: (i * 37) % (most + 1) };
      await run.run(tensors, live);
      await runBack.run(tensors, live);
    }
  };
  await runs(0, 500);
  const before = process.memoryUsage().rss;
  await runs(500, 3000);
  slice.release();
  // The heap and the collector's backlog of small objects swing by 30 MiB; one buffer of 64 KiB kept a run would be 160.
  expect(process.memoryUsage().rss - before).toBeLessThan(64 * 2 ** 20);
});

it('leaves the garbage collector no copies of what a program writes', async () => {
  const side = 256;
  const program = trace('square', { x: f32([side, side]) }, ({ x }) => ({ y: matmul(x, x) }));
  const executable = await device.compile(program);
  const slice = device.slice('square', 2 ** 20);
  const tensors = { x: slice.tensor('x', 'f32', [side, side]), y: slice.tensor('y', 'f32', [side, side]) };
  const run = async (times: number): Promise<void> => {
    for (let i = 0; i < times; i++) await executable.run(tensors);
  };
  await run(3);
  const before = process.memoryUsage().arrayBuffers;
  await run(20);
  const grownBytes = process.memoryUsage().arrayBuffers - before;
  slice.release();
  // Twenty copies would be 5 MiB, and no collection comes that soon.
  expect(grownBytes).toBeLessThan(2 ** 20);
});
